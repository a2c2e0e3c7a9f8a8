package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/wirecall/wirecall/internal/inspect"
	"github.com/wirecall/wirecall/rpc"
)

func (s *session) inspectCommand() *cli.Command {
	return &cli.Command{
		Name: "inspect", Usage: "serve a page that shows a server and calls it",
		UsageText: "wirecall inspect [flags] URL",
		Description: `It prints the address of a page, which it serves on this machine until Ctrl-C. The page
calls the server through this process, which sends the headers, the certificate and the
token that the flags say; the page does not have them. The address holds a secret: whoever
has it can call the server as you.

URL is that of a server of wirecall or of plain JSON-RPC 2.0, as wirecall call has it.`,
		Flags: append(inspectFlags(), &cli.StringFlag{Name: "addr", Usage: "the `address` to serve on, of the loopback interface", Value: "127.0.0.1:0"}),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return s.inspect(ctx, cmd)
		},
	}
}

// inspectFlags are those of connectFlags that say how to reach a server. How to call it is
// up to the page.
func inspectFlags() []cli.Flag {
	return slices.DeleteFunc(connectFlags(), func(f cli.Flag) bool {
		return slices.Contains([]string{"cbor", "post", "position", "connect-timeout"}, f.Names()[0])
	})
}

func (s *session) inspect(ctx context.Context, cmd *cli.Command) error {
	target, shown, err := s.target(cmd)
	if err != nil {
		fmt.Fprintln(s.stderr, "wirecall:", err)
		return errUsage
	}
	ln, err := listenOnLoopback(ctx, cmd.String("addr"))
	if err != nil {
		return fmt.Errorf("wirecall: -addr: %w", err)
	}
	secret := "/" + rand.Text()
	mux := http.NewServeMux()
	mux.Handle(secret+"/", http.StripPrefix(secret, &inspect.Site{Config: target.Config(shown), Socket: target}))
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	fmt.Fprintf(s.stdout, "http://%s%s/\n", ln.Addr(), secret)
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("wirecall: %w", err)
	}
	return nil
}

// target returns what the arguments say of the server, and how the page names it.
func (s *session) target(cmd *cli.Command) (*inspect.Target, string, error) {
	if cmd.Args().Len() != 1 {
		return nil, "", fmt.Errorf("want a URL: %s", cmd.UsageText)
	}
	flags := s.connectOptions(cmd)
	o, err := flags.DialOptions()
	if err != nil {
		return nil, "", err
	}
	target := &inspect.Target{URL: cmd.Args().First(), Header: o.Header, Plain: o.Plain, ContentLength: o.Framing == rpc.ContentLength, Token: o.Token}
	if o.HTTPClient != nil {
		target.Client = *o.HTTPClient
	}
	if command, ok := strings.CutPrefix(target.URL, "exec:"); ok {
		target.Start = func() (io.ReadWriteCloser, error) { return flags.Start(command) }
		name, _, _ := strings.Cut(strings.TrimSpace(command), " ") // arguments may be secrets
		return target, "exec:" + name, nil
	}
	u, err := url.Parse(target.URL)
	if err != nil || !slices.Contains([]string{"ws", "wss", "http", "https", "tcp", "unix"}, u.Scheme) {
		return nil, "", errors.New("the URL must begin with ws://, wss://, http://, https://, tcp://, unix:// or exec: and a program")
	}
	u.User, u.RawQuery, u.Fragment = nil, "", "" // which may hold passwords
	return target, u.String(), nil
}

// listenOnLoopback listens on an address of the loopback interface, and on no other.
func listenOnLoopback(ctx context.Context, addr string) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if tcp, ok := ln.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		ln.Close()
		return nil, fmt.Errorf("%s is not an address of the loopback interface", addr)
	}
	return ln, nil
}
