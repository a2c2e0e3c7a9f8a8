package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/wirecall/wirecall/internal/dynamic"
	"github.com/wirecall/wirecall/internal/loadgen"
	"github.com/wirecall/wirecall/internal/openrpc"
	"github.com/wirecall/wirecall/rpc"
)

func (s *session) benchCommand() *cli.Command {
	return &cli.Command{
		Name: "bench", Usage: "put load on a server and measure it",
		UsageText: "wirecall bench [flags] URL [METHOD [name=text] [name:=JSON] …]",
		Description: `Calls are due -rate times a second, whether or not those before have been answered, and
the latency of each is counted from when it was due. With -closed there are -in-flight
callers instead, each of which makes a call when its last one has been answered. Without a
METHOD connections are opened at that rate, and held until the end.

The arguments are those of call. In their text {seq} stands for the number of the call, from
0, {rand:1..10} for a random number, and {line:FILE} for a random line of a file.

Ctrl-C ends the run and reports what has been measured. The exit status is 0 if any call was
answered, 1 if none was, and otherwise as that of call.`,
		Flags:         append(connectFlags(), benchFlags()...),
		Action:        s.bench,
		ShellComplete: s.completeCall,
	}
}

// benchFlags are those of bench.
func benchFlags() []cli.Flag {
	return []cli.Flag{
		&cli.FloatFlag{Name: "rate", Usage: "calls, streams or connections a second", Value: 100},
		&cli.FloatFlag{Name: "ramp", Usage: "change the rate evenly, until it is this one at the end"},
		&cli.DurationFlag{Name: "for", Usage: "how long to measure", Value: 10e9},
		&cli.DurationFlag{Name: "warmup", Usage: "how long to make calls before that, which are not measured", Value: 1e9},
		&cli.IntFlag{Name: "conns", Usage: "connections that the calls take in turn; without a METHOD, how many to open at most"},
		&cli.BoolFlag{Name: "closed", Usage: "make the next call when one has been answered, in place of a rate"},
		&cli.IntFlag{Name: "in-flight", Usage: "the calls under way at once, at most; 10000, or 1 with -closed"},
		&cli.DurationFlag{Name: "cut", Usage: "cut the socket of each connection each time this is over"},
		&cli.StringFlag{Name: "seq", Usage: "`member` of each item or result that the server counts up by 1, to count what was lost and doubled; a.b for a member of a member"},
		&cli.IntFlag{Name: "n", Usage: "leave a stream after so many `items`; 0 for its end"},
		&cli.BoolFlag{Name: "stream", Usage: "the result is a stream, though the server does not describe it"},
		&cli.DurationFlag{Name: "timeout", Usage: "cancel a call after this time; 0 for none"},
		&cli.DurationFlag{Name: "drain", Usage: "how long to wait at the end for calls that have not been answered", Value: 10e9},
		&cli.StringFlag{Name: "params", Usage: "all parameters as a JSON array or object, or @FILE, in place of arguments"},
		&cli.StringSliceFlag{Name: "meta", Usage: "`key=value` of metadata to send; may be repeated"},
		&cli.BoolFlag{Name: "notify", Usage: "send notifications, which have no answer"},
		&cli.BoolFlag{Name: "undescribed", Usage: "do not ask the server for its description first"},
		&cli.StringFlag{Name: "json", Usage: "write the result as JSON to this `FILE`, or - for the standard output in place of text", TakesFile: true},
		&cli.StringFlag{Name: "svg", Usage: "write a chart of the percentiles to this `FILE`", TakesFile: true},
	}
}

func (s *session) bench(ctx context.Context, cmd *cli.Command) error {
	url, name := cmd.Args().Get(0), cmd.Args().Get(1)
	if url == "" {
		fmt.Fprintf(s.stderr, "wirecall: want a URL: %s\n", cmd.UsageText)
		return errUsage
	}
	o := s.loadOptions(cmd, url)
	c := &caller{session: s, cmd: cmd}
	if err := c.load(ctx, url, name, &o); err != nil {
		return err
	}
	line := s.liveLine()
	o.Live = line.show
	res, err := loadgen.Run(c.withMetadata(ctx), o)
	line.clear()
	if _, ok := errors.AsType[*exitError](err); ok || errors.Is(err, errUsage) {
		return err
	}
	if err != nil {
		fmt.Fprintln(s.stderr, "wirecall:", err)
		return errUsage
	}
	res.What = name
	if err := c.report(res); err != nil {
		return err
	}
	switch {
	case res.Interrupted:
		return &exitError{exitInterrupted, fmt.Errorf("wirecall: interrupted after %s", res.Length.Round(time.Millisecond))}
	case res.Answered == 0:
		return &exitError{exitFailed, errors.New("wirecall: nothing was answered")}
	}
	return nil
}

// loadOptions returns what the flags say of a load, without its calls.
func (s *session) loadOptions(cmd *cli.Command, url string) loadgen.Options {
	o := loadgen.Options{
		Schedule: loadgen.Schedule{Rate: cmd.Float("rate"), To: cmd.Float("ramp"), For: cmd.Duration("for"), Warmup: cmd.Duration("warmup")},
		Closed:   cmd.Bool("closed"), InFlight: cmd.Int("in-flight"), Conns: cmd.Int("conns"),
		Items: cmd.Int("n"), Timeout: cmd.Duration("timeout"), Drain: cmd.Duration("drain"), Cut: cmd.Duration("cut"),
		Sleep: loadgen.Sleep,
	}
	if path := cmd.String("seq"); path != "" {
		o.Seq = strings.Split(path, ".")
	}
	o.Dial = func(ctx context.Context, l *loadgen.Link) (loadgen.Conn, error) {
		prepare := func(d *rpc.DialOptions) { overLink(l, d) }
		if o.Cut == 0 {
			prepare = nil
		}
		conn, err := s.connectPrepared(ctx, cmd, url, prepare)
		return loadgen.Conn{Caller: conn.Caller, Close: conn.Close}, err
	}
	return o
}

// overLink has a connection open its sockets through a link.
func overLink(l *loadgen.Link, d *rpc.DialOptions) {
	if d.HTTPClient == nil {
		d.NetDial = l.Sockets(nil)
		return
	}
	t := d.HTTPClient.Transport.(*http.Transport)
	t.DialContext = l.Sockets(t.DialContext)
}

// load adds the calls of a method, if there is one, to the options. On a connection of its
// own it sees whether the server can be reached, and asks it what the method is.
func (c *caller) load(ctx context.Context, url, name string, o *loadgen.Options) error {
	call, err := c.parse(c.cmd.Bool("stream"))
	if err == nil && name == "" && c.cmd.Bool("post") {
		err = errors.New("a POST holds no connection: want a METHOD")
	}
	if err != nil {
		fmt.Fprintln(c.stderr, "wirecall:", err)
		return errUsage
	}
	if c.conn, err = c.connect(ctx, c.cmd, url); err != nil {
		return err
	}
	defer c.conn.Close()
	if name == "" {
		return nil
	}
	if call.Method, err = c.method(ctx, name); err != nil {
		return err
	}
	o.Streams = call.Stream || receives(call.Method)
	if call.Params != nil {
		o.Call = func(int64, func(int64)) (*dynamic.Call, error) { return call, nil }
		return nil
	}
	t, err := loadgen.NewTemplate(call.Method, c.cmd.Args().Slice()[2:], c.open)
	if err != nil {
		fmt.Fprintln(c.stderr, "wirecall:", err)
		return errUsage
	}
	o.Call = func(n int64, sent func(int64)) (*dynamic.Call, error) {
		each := *call
		params, err := t.Params(n, sent)
		each.Params = params
		return &each, err
	}
	return nil
}

// receives reports whether there are streams among the results.
func receives(m *openrpc.Method) bool { return len(m.Extension.Streams.Results) > 0 }

// report writes the result to where the flags say.
func (c *caller) report(res *loadgen.Result) error {
	if name := c.cmd.String("svg"); name != "" {
		if err := c.write(name, res.WriteSVG); err != nil {
			return err
		}
	}
	switch name := c.cmd.String("json"); name {
	case "":
	case "-":
		return res.WriteJSON(c.stdout)
	default:
		if err := c.write(name, res.WriteJSON); err != nil {
			return err
		}
	}
	return res.WriteText(c.stdout)
}
