// Package connect connects to servers as the flags of a command describe them.
package connect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
)

// Options are what the flags of a command say of a connection. The zero value is a
// connection without anything special.
type Options struct {
	Headers []string // of the handshake, each "Name: value"
	Token   string   // the token that authenticates, or @FILE

	CACert    string // a file with certificates to trust as well, PEM
	Cert, Key string // files with a certificate of the client's own and its key, PEM
	Insecure  bool   // do not check the server's certificate

	CBOR       bool
	Plain      bool
	ByPosition bool
	Framing    string // lines, which is the default, or headers

	Dir    string    // the folder that the names of files, and programs, are relative to; empty for the process's
	Stderr io.Writer // of programs; nil for none
}

// DialOptions returns the options of a connection. An error is one of the flags.
func (o *Options) DialOptions() (*rpc.DialOptions, error) {
	d := &rpc.DialOptions{Resume: !o.Plain, Plain: o.Plain, ByPosition: o.ByPosition, Logger: slog.New(slog.DiscardHandler)}
	switch o.Framing {
	case "", "lines":
	case "headers":
		d.Framing = rpc.ContentLength
	default:
		return nil, fmt.Errorf("-framing %s: want lines or headers", o.Framing)
	}
	for _, h := range o.Headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, fmt.Errorf("-header %q: want 'Name: value'", h)
		}
		if d.Header == nil { // which is refused where there is no handshake
			d.Header = http.Header{}
		}
		d.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	if o.CBOR {
		d.Codec = cbor.Codec
	}
	token, err := o.token()
	if err != nil {
		return nil, err
	}
	if token != "" {
		d.Token = func(context.Context) (string, error) { return token, nil }
	}
	config, err := o.TLSConfig()
	if err != nil || config == nil {
		return d, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = config
	d.HTTPClient = &http.Client{Transport: transport}
	return d, nil
}

// token returns the token, also one that a file has.
func (o *Options) token() (string, error) {
	name, ok := strings.CutPrefix(o.Token, "@")
	if !ok {
		return o.Token, nil
	}
	b, err := os.ReadFile(o.path(name))
	if err != nil {
		return "", fmt.Errorf("-token: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// path is a file's name as the process has it.
func (o *Options) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(o.Dir, name)
}

// TLSConfig returns what the options say of TLS, or nil if they say nothing.
func (o *Options) TLSConfig() (*tls.Config, error) {
	if o.CACert == "" && o.Cert == "" && o.Key == "" && !o.Insecure {
		return nil, nil
	}
	config := &tls.Config{InsecureSkipVerify: o.Insecure}
	if o.CACert != "" {
		pem, err := os.ReadFile(o.path(o.CACert))
		if err != nil {
			return nil, fmt.Errorf("-cacert: %w", err)
		}
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			config.RootCAs = x509.NewCertPool()
		}
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("-cacert: %s holds no certificate", o.CACert)
		}
	}
	if (o.Cert == "") != (o.Key == "") {
		return nil, errors.New("-cert and -key belong together")
	}
	if o.Cert != "" {
		pair, err := tls.LoadX509KeyPair(o.path(o.Cert), o.path(o.Key))
		if err != nil {
			return nil, fmt.Errorf("-cert: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
