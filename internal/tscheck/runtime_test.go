package tscheck

import (
	"bytes"
	"compress/gzip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
)

// TestTranscripts replays the conversations of rpc/testdata in which our side dials against
// the runtime: they are one specification for it and for package rpc.
func TestTranscripts(t *testing.T) {
	w := open(t)
	cmd := exec.Command(node(), "testdata/transcripts.mjs", filepath.Join(w.out, w.packages[0].dir, "wirecall.js"), "../../rpc/testdata")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(strings.TrimSpace(string(out)))
}

// TestSize bounds what the runtime costs a page: minified, and compressed as servers do.
func TestSize(t *testing.T) {
	const most = 9200
	n := bundle(t, filepath.Join(runtime, "wirecall.ts"))
	t.Logf("%d bytes", n)
	if n > most {
		t.Errorf("the runtime has %d bytes, minified and compressed: want %d at most", n, most)
	}
}

// bundle returns how many bytes a source and what it imports have, minified and compressed.
func bundle(t *testing.T, source string) int {
	t.Helper()
	built := api.Build(api.BuildOptions{
		EntryPoints: []string{source}, Bundle: true, Format: api.FormatESModule, Target: api.ES2022,
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
	})
	if len(built.Errors) > 0 {
		t.Fatal(built.Errors)
	}
	var compressed bytes.Buffer
	w, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	check(t, err)
	_, err = w.Write(built.OutputFiles[0].Contents)
	check(t, err)
	check(t, w.Close())
	return compressed.Len()
}
