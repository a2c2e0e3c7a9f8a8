package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/wirecall/wirecall/internal/dynamic"
)

// maxDocument is how long a document may be, in bytes.
const maxDocument = 32 << 20

// documentTimeout is how long a server may take for a document.
const documentTimeout = 30 * time.Second

// document reads an OpenRPC document: a file, git:REVISION:FILE, the URL of a document, or
// the URL of a server that describes itself, to which connect connects.
func (s *session) document(ctx context.Context, source string, connect func(context.Context) (connection, error)) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, documentTimeout)
	defer cancel()
	revision, isRevision := strings.CutPrefix(source, "git:")
	switch {
	case isRevision:
		return s.revision(ctx, revision)
	case isHTTP(source):
		text, err := download(ctx, source)
		if err == nil {
			return text, nil
		}
		described, discoverErr := discover(ctx, connect)
		if discoverErr != nil {
			return nil, fmt.Errorf("%w, and as a server: %w", err, discoverErr)
		}
		return described, nil
	case strings.Contains(source, "://") || strings.HasPrefix(source, "exec:"):
		return discover(ctx, connect)
	}
	f, err := os.Open(s.path(source))
	if err != nil {
		return nil, errors.Unwrap(err) // without the path
	}
	defer f.Close()
	return limited(f)
}

func isHTTP(url string) bool {
	return strings.HasPrefix(url, "http://") || strings.HasPrefix(url, "https://")
}

// discover asks a server to describe itself.
func discover(ctx context.Context, connect func(context.Context) (connection, error)) ([]byte, error) {
	conn, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return dynamic.Document(ctx, conn)
}

// revision reads a file of a git revision, REVISION:FILE.
func (s *session) revision(ctx context.Context, revision string) ([]byte, error) {
	git := exec.CommandContext(ctx, "git", "show", revision)
	git.Dir = s.dir
	var stderr bytes.Buffer
	git.Stderr = &stderr
	b, err := git.Output()
	if err != nil {
		return nil, fmt.Errorf("git show: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return b, nil
}

// limited reads a document that must not be too long.
func limited(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if len(text) > maxDocument {
		return nil, fmt.Errorf("it is longer than %d bytes", maxDocument)
	}
	return text, err
}

// download reads what is at a URL, if that can be a document.
func download(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answers %s", resp.Status)
	}
	text, err := limited(resp.Body)
	if err == nil && bytes.HasPrefix(bytes.TrimSpace(text), []byte("<")) {
		err = errors.New("it is no JSON")
	}
	return text, err
}
