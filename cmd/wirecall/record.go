package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"sync"

	"github.com/urfave/cli/v3"

	"github.com/wirecall/wirecall/internal/record"
)

func (s *session) recordCommand() *cli.Command {
	return &cli.Command{
		Name: "record", Usage: "pass on what clients and a server send, and write it as transcripts for tests",
		UsageText: "wirecall record [flags] URL",
		Description: `Clients connect to -addr, with the path that they would use at the server, and are connected to
the server at URL: ws://, wss://, http://, https://, tcp:// or unix://. What they and the
server send is passed on unchanged, and written in the language of rpctest.Replay and
rpctest.ReplayServer, until Ctrl-C. The first connection is written to FILE.txt, the second to
FILE-2.txt; a session that is resumed stays in its file.

Headers, queries, cookies, tokens and members whose names are those of secrets are not written.
Times and UUIDs of the server become patterns.`,
		Flags: append(tlsFlags(),
			&cli.StringFlag{Name: "addr", Usage: "where clients connect", Value: "localhost:9000"},
			&cli.StringFlag{Name: "o", Usage: "the `FILE` of the first connection", Value: "recorded.txt", TakesFile: true},
			&cli.BoolFlag{Name: "exact", Usage: "write times and UUIDs as they are"},
			&cli.BoolFlag{Name: "times", Usage: "write a comment with the time before each message"},
			&cli.StringSliceFlag{Name: "secret", Usage: "`NAME` of a member that is not written either; may be repeated"},
			&cli.IntFlag{Name: "max-message", Usage: "the largest message that is written, in bytes; a larger one ends its transcript", Value: 1 << 20}),
		Action: s.record,
	}
}

// targets are the schemes of servers that can be recorded.
var targets = []string{"ws", "wss", "http", "https", "tcp", "unix"}

func (s *session) record(ctx context.Context, cmd *cli.Command) error {
	usage := func(format string, args ...any) error {
		fmt.Fprintf(s.stderr, "wirecall: "+format+"\n", args...)
		return errUsage
	}
	if cmd.Args().Len() != 1 {
		return usage("want a URL: %s", cmd.UsageText)
	}
	target, err := url.Parse(cmd.Args().First())
	if err != nil || !slices.Contains(targets, target.Scheme) {
		return usage("the URL must begin with ws, wss, http, https, tcp or unix and ://")
	}
	config, err := s.connectOptions(cmd).TLSConfig()
	if err != nil {
		return usage("%v", err)
	}
	ln, err := net.Listen("tcp", cmd.String("addr"))
	if err != nil {
		return fmt.Errorf("wirecall: %w", err)
	}
	var one sync.Mutex
	log := func(line string) {
		one.Lock()
		defer one.Unlock()
		fmt.Fprintln(s.stderr, "wirecall:", line)
	}
	log(fmt.Sprintf("recording %s at %s, until Ctrl-C", target.Host+target.Path, ownURL(target, ln)))
	r := record.New(record.Options{Target: target, File: s.path(cmd.String("o")), Exact: cmd.Bool("exact"), Times: cmd.Bool("times"),
		MaxMessage: cmd.Int("max-message"), Secrets: cmd.StringSlice("secret"), TLS: config, Log: log})
	if err := r.Serve(ctx, ln); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("wirecall: %w", err)
	}
	return nil
}

// ownURL returns where clients connect in place of the server.
func ownURL(target *url.URL, ln net.Listener) string {
	switch target.Scheme {
	case "tcp", "unix":
		return "tcp://" + ln.Addr().String()
	case "wss":
		return "ws://" + ln.Addr().String() + target.Path
	case "https":
		return "http://" + ln.Addr().String() + target.Path
	}
	return target.Scheme + "://" + ln.Addr().String() + target.Path
}
