package main

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
	"os/exec"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
)

// An exitError is an error with the exit status that it means.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// connectFlags are those of every command that speaks to a server.
func connectFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "header", Aliases: []string{"H"}, Usage: "`'Name: value'` of a header of the handshake; may be repeated"},
		&cli.StringFlag{Name: "token", Usage: "the token that authenticates, or @FILE", Sources: cli.EnvVars("WIRECALL_TOKEN")},
		&cli.StringFlag{Name: "cacert", Usage: "trust the certificates in this PEM `FILE` as well", TakesFile: true},
		&cli.StringFlag{Name: "cert", Usage: "a certificate of the client's own, as a PEM `FILE`; with -key", TakesFile: true},
		&cli.StringFlag{Name: "key", Usage: "its key, as a PEM `FILE`", TakesFile: true},
		&cli.BoolFlag{Name: "insecure", Usage: "do not check the server's certificate"},
		&cli.BoolFlag{Name: "cbor", Usage: "send values as CBOR; the server must have that codec"},
		&cli.BoolFlag{Name: "plain", Usage: "speak plain JSON-RPC 2.0, without asking whether the server speaks wirecall"},
		&cli.BoolFlag{Name: "post", Usage: "call by HTTP POST, in place of a WebSocket; it has no streams"},
		&cli.BoolFlag{Name: "position", Usage: "send parameters by position, in the order in which they are written"},
		&cli.StringFlag{Name: "framing", Usage: "lines, or headers as the Language Server Protocol has them; for tcp, unix and exec", Value: "lines"},
		&cli.DurationFlag{Name: "connect-timeout", Usage: "give up if there is no connection after this time", Value: defaultConnectTimeout},
	}
}

const defaultConnectTimeout = 10e9 // 10 s

// A connection is a Caller, and what closes it.
type connection struct {
	rpc.Caller
	Close func() error
}

// connect connects to the server.
func (s *session) connect(ctx context.Context, cmd *cli.Command, url string) (connection, error) {
	conn, err := s.dial(ctx, cmd, url)
	switch {
	case err == nil || errors.Is(err, errUsage):
		return conn, err
	case errors.Is(err, context.Canceled):
		return conn, &exitError{exitInterrupted, errors.New("wirecall: interrupted")}
	}
	return conn, &exitError{exitUnreachable, fmt.Errorf("wirecall: %s: %w", url, err)}
}

func (s *session) dial(ctx context.Context, cmd *cli.Command, url string) (connection, error) {
	o, err := s.dialOptions(cmd)
	if err != nil {
		fmt.Fprintln(s.stderr, "wirecall:", err)
		return connection{}, errUsage
	}
	if cmd.Bool("post") {
		post := &rpc.HTTPOptions{HTTPClient: o.HTTPClient, Header: o.Header, Token: o.Token, ByPosition: o.ByPosition, Logger: o.Logger}
		caller, err := rpc.NewHTTPCaller(url, post)
		return connection{caller, func() error { return nil }}, err
	}
	ctx, cancel := context.WithTimeout(ctx, cmd.Duration("connect-timeout"))
	defer cancel()
	var conn *rpc.Conn
	if command, ok := strings.CutPrefix(url, "exec:"); ok {
		conn, err = s.start(ctx, command, o)
	} else {
		conn, err = rpc.Dial(ctx, url, o)
	}
	if err != nil {
		return connection{}, err
	}
	return connection{conn, conn.Close}, nil
}

func (s *session) dialOptions(cmd *cli.Command) (*rpc.DialOptions, error) {
	o := &rpc.DialOptions{Header: http.Header{}, Resume: !cmd.Bool("plain"), Plain: cmd.Bool("plain"), ByPosition: cmd.Bool("position"),
		Logger: slog.New(slog.DiscardHandler)}
	switch framing := cmd.String("framing"); framing {
	case "lines":
	case "headers":
		o.Framing = rpc.ContentLength
	default:
		return nil, fmt.Errorf("-framing %s: want lines or headers", framing)
	}
	for _, h := range cmd.StringSlice("header") {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, fmt.Errorf("-header %q: want 'Name: value'", h)
		}
		o.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	if cmd.Bool("cbor") {
		o.Codec = cbor.Codec
	}
	if token := cmd.String("token"); token != "" {
		if name, ok := strings.CutPrefix(token, "@"); ok {
			b, err := os.ReadFile(s.path(name))
			if err != nil {
				return nil, fmt.Errorf("-token: %w", err)
			}
			token = strings.TrimSpace(string(b))
		}
		o.Token = func(context.Context) (string, error) { return token, nil }
	}
	config, err := s.tlsConfig(cmd)
	if err != nil || config == nil {
		return o, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = config
	o.HTTPClient = &http.Client{Transport: transport}
	return o, nil
}

// start starts a program and connects to its standard input and output.
func (s *session) start(ctx context.Context, command string, o *rpc.DialOptions) (*rpc.Conn, error) {
	args := strings.Fields(command)
	if len(args) == 0 {
		return nil, errors.New("exec: needs a program and its arguments")
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stderr = s.dir, s.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return rpc.NewConn(ctx, &program{out, in, cmd}, &rpc.ConnOptions{Token: o.Token, Framing: o.Framing, Plain: o.Plain, ByPosition: o.ByPosition, Logger: o.Logger})
}

// A program is the standard input and output of one that runs.
type program struct {
	io.Reader // its output
	io.WriteCloser
	cmd *exec.Cmd
}

// exitPatience is how long a program may take to end when its input has ended.
const exitPatience = 2 * time.Second

// Close closes the program's input, upon which it should end.
func (p *program) Close() error {
	p.WriteCloser.Close()
	kill := time.AfterFunc(exitPatience, func() { p.cmd.Process.Kill() })
	defer kill.Stop()
	return p.cmd.Wait()
}

// tlsConfig returns what the flags say of TLS, or nil if they say nothing.
func (s *session) tlsConfig(cmd *cli.Command) (*tls.Config, error) {
	ca, cert, key := cmd.String("cacert"), cmd.String("cert"), cmd.String("key")
	if ca == "" && cert == "" && key == "" && !cmd.Bool("insecure") {
		return nil, nil
	}
	config := &tls.Config{InsecureSkipVerify: cmd.Bool("insecure")}
	if ca != "" {
		pem, err := os.ReadFile(s.path(ca))
		if err != nil {
			return nil, fmt.Errorf("-cacert: %w", err)
		}
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			config.RootCAs = x509.NewCertPool()
		}
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("-cacert: %s holds no certificate", ca)
		}
	}
	if (cert == "") != (key == "") {
		return nil, errors.New("-cert and -key belong together")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(s.path(cert), s.path(key))
		if err != nil {
			return nil, fmt.Errorf("-cert: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
