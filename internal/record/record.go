// Package record is a proxy between clients and a server that writes what passes as
// transcripts, in the language of rpc/testdata, for rpctest.Replay and
// rpctest.ReplayServer.
//
// It passes bytes on as they come, and reads along: nothing that a client or a server
// receives is changed, except that compression is not negotiated. A message is rewritten in
// memory, without secrets and with patterns in place of values that vary, and then written
// as one line.
package record

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Options are how to record.
type Options struct {
	// Target is the server: ws, wss, http, https, tcp or unix.
	Target *url.URL

	// File is where the first conversation is written. The second is written to the same
	// name with -2 before its extension, and so on. Files that exist are overwritten.
	File string

	// Exact writes times and UUIDs as they are.
	Exact bool

	// Times writes a comment before each line that has the time since the beginning.
	Times bool

	// MaxMessage is the size in bytes of the largest message that is written. Larger ones
	// are passed on, and end the transcript of their conversation.
	MaxMessage int

	// Secrets are names of members whose values are not written, in addition to those
	// that are always left out.
	Secrets []string

	// TLS is for connections to the server. Nil is the default.
	TLS *tls.Config

	// Log takes a line about what could not be recorded, and about each file.
	Log func(string)
}

// A Recorder is the proxy. Its methods may be called by several goroutines.
type Recorder struct {
	Options
	web    http.Handler
	hidden *hidden
	begun  time.Time

	mu       sync.Mutex // guards everything below, and all conversations and sockets
	files    int
	posts    *conversation // of all calls by POST
	postings int
	waiting  map[string]*conversation // sessions that can be resumed, by name
	open     map[*conversation]struct{}
	ended    bool
	err      error // the first of writing
}

// New returns a recorder that has written nothing yet.
func New(o Options) *Recorder {
	r := &Recorder{Options: o, hidden: newHidden(o.Secrets), begun: time.Now(),
		waiting: make(map[string]*conversation), open: make(map[*conversation]struct{})}
	r.web = &httputil.ReverseProxy{
		Rewrite:        r.rewrite,
		ModifyResponse: r.answered,
		Transport:      &http.Transport{TLSClientConfig: o.TLS, DisableCompression: true, Proxy: http.ProxyFromEnvironment},
		ErrorHandler: func(w http.ResponseWriter, req *http.Request, err error) {
			r.Log(fmt.Sprintf("%s: %v", r.Target.Host, err))
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	return r
}

// finish closes all files. What connections do afterwards is not written.
func (r *Recorder) finish() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	for c := range r.open {
		c.close()
	}
	return r.err
}

// fail keeps the first error of writing. The mutex is held.
func (r *Recorder) fail(err error) {
	if err != nil && r.err == nil {
		r.err = err
		r.Log(err.Error())
	}
}

// create makes the next file. The mutex is held.
func (r *Recorder) create() *os.File {
	r.files++
	name := r.File
	if r.files > 1 {
		ext := filepath.Ext(name)
		name = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, ext), r.files, ext)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	r.fail(err)
	if err == nil {
		r.Log("writing " + name)
	}
	return f
}
