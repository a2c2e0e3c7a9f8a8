// Wirecall-mcp shows the methods of a wirecall server that describes itself to agents, as
// tools of the Model Context Protocol, over its standard input and output or over HTTP.
//
//	wirecall-mcp ws://localhost:8080/rpc
//	wirecall-mcp -addr localhost:8090 ws://localhost:8080/rpc
//	wirecall-mcp -list ws://localhost:8080/rpc
//
// "wirecall mcp" runs it. It is a program of its own, and not a part of wirecall, since
// that is a tool of the modules of its users, whose go.sum would have the nine modules of
// the protocol's SDK. Linked into wirecall by a build tag it would be in no binary that
// "go tool" builds; fetched by "wirecall mcp" itself it would be code that nobody asked
// for.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/urfave/cli/v3"

	"github.com/wirecall/wirecall/internal/connect"
	"github.com/wirecall/wirecall/mcprpc"
	"github.com/wirecall/wirecall/rpc"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newCommand(os.Stdin, os.Stdout, os.Stderr).Run(ctx, os.Args)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "wirecall-mcp:", err)
		os.Exit(1)
	}
}

// newCommand returns the command with its standard input and outputs.
func newCommand(stdin io.ReadCloser, stdout io.WriteCloser, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name: "wirecall-mcp", Usage: "show the methods of a server as tools of the Model Context Protocol",
		UsageText: "wirecall-mcp [flags] URL",
		Description: `URL is that of a server that describes itself: ws://, wss://, http://, https:// (all four
mean a WebSocket), tcp:// or unix://, or exec:PROGRAM ARGUMENTS for a server on the standard
input and output of a program.

Methods are tools if their contract says so, by //wirecall:option mcp.tool=readonly,
destructive or yes, or all with -all, or those that -only names. An agent has the rights of
the token and the headers that are given here.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "stdio", Usage: "speak over standard input and output, which is the default"},
			&cli.StringFlag{Name: "addr", Usage: "speak over HTTP at this loopback `address`, such as localhost:8090"},
			&cli.BoolFlag{Name: "list", Usage: "print the tools, and end"},
			&cli.BoolFlag{Name: "all", Usage: "make a tool of each method"},
			&cli.StringSliceFlag{Name: "only", Usage: "make tools of the methods that match this `pattern`, such as 'Room.*', and of no others; may be repeated"},
			&cli.DurationFlag{Name: "timeout", Usage: "how long a call may take", Value: time.Minute},
			&cli.StringSliceFlag{Name: "header", Aliases: []string{"H"}, Usage: "`'Name: value'` of a header of the handshake; may be repeated"},
			&cli.StringFlag{Name: "token", Usage: "the token that authenticates, or @FILE", Sources: cli.EnvVars("WIRECALL_TOKEN")},
			&cli.StringFlag{Name: "cacert", Usage: "trust the certificates in this PEM `FILE` as well", TakesFile: true},
			&cli.StringFlag{Name: "cert", Usage: "a certificate of the client's own, as a PEM `FILE`; with -key", TakesFile: true},
			&cli.StringFlag{Name: "key", Usage: "its key, as a PEM `FILE`", TakesFile: true},
			&cli.BoolFlag{Name: "insecure", Usage: "do not check the server's certificate"},
			&cli.DurationFlag{Name: "connect-timeout", Usage: "give up if there is no connection after this time", Value: 10 * time.Second},
		},
		Writer: stdout, ErrWriter: stderr, HideVersion: true,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return run(ctx, cmd, stdin, stdout, stderr)
		},
	}
}

// run connects to the server and shows its tools, until ctx or the client's input ends.
func run(ctx context.Context, cmd *cli.Command, stdin io.ReadCloser, stdout io.WriteCloser, stderr io.Writer) error {
	url := cmd.Args().First()
	if url == "" || cmd.Args().Len() > 1 {
		return fmt.Errorf("want a URL: %s", cmd.UsageText)
	}
	if cmd.Bool("stdio") && cmd.String("addr") != "" {
		return errors.New("-stdio and -addr are both given")
	}
	conn, err := dial(ctx, cmd, url, stderr)
	if err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	defer conn.Close()
	s, err := mcprpc.NewServer(ctx, conn, &mcprpc.Options{All: cmd.Bool("all"), Only: cmd.StringSlice("only"), Timeout: cmd.Duration("timeout")})
	switch {
	case err != nil:
		return err
	case cmd.Bool("list"):
		return list(ctx, s, stdout)
	case cmd.String("addr") != "":
		return serve(ctx, s, cmd.String("addr"), stderr)
	}
	if err := s.Run(ctx, &mcp.IOTransport{Reader: stdin, Writer: stdout}); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// dial connects to the server that the flags name.
func dial(ctx context.Context, cmd *cli.Command, url string, stderr io.Writer) (*rpc.Conn, error) {
	o := &connect.Options{
		Headers: cmd.StringSlice("header"), Token: cmd.String("token"),
		CACert: cmd.String("cacert"), Cert: cmd.String("cert"), Key: cmd.String("key"), Insecure: cmd.Bool("insecure"),
		Stderr: stderr,
	}
	d, err := o.DialOptions()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cmd.Duration("connect-timeout"))
	defer cancel()
	return o.To(ctx, url, d)
}
