package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/wirecall/wirecall/internal/dynamic"
	"github.com/wirecall/wirecall/internal/load"
	"github.com/wirecall/wirecall/internal/model"
	"github.com/wirecall/wirecall/internal/openrpc"
	"github.com/wirecall/wirecall/rpc"
)

// The exit statuses of the commands that speak to a server, beside 2 for what was not
// understood.
const (
	exitFailed      = 1   // the call failed, or something of this side did
	exitUnreachable = 3   // there is no connection
	exitTimeout     = 4   // the time that was allowed is over
	exitInterrupted = 130 // Ctrl-C, as shells have it
)

// remote returns the command that speaks to a server and has that name.
func remote(name string) func(context.Context, *session, []string) error {
	return func(ctx context.Context, s *session, args []string) error {
		return s.remoteCommands().Run(ctx, append([]string{"wirecall", name}, args...))
	}
}

// remoteCommands are the commands that speak to a server, and those of the generator for
// the completion of their names.
func (s *session) remoteCommands() *cli.Command {
	passed := func(c command, usage string) *cli.Command {
		return &cli.Command{Name: c.name, Usage: usage, SkipFlagParsing: true, HideHelp: true,
			Action: func(ctx context.Context, cmd *cli.Command) error { return c.run(ctx, s, cmd.Args().Slice()) }}
	}
	root := &cli.Command{
		Name: "wirecall", Usage: "the code between a Go interface and the wire, and calls of what is there",
		Writer: s.stdout, ErrWriter: s.stderr, EnableShellCompletion: true, HideVersion: true,
		ExitErrHandler: func(context.Context, *cli.Command, error) {}, // exit does that
		Commands: []*cli.Command{
			passed(command{"gen", "", gen}, "generate code"),
			passed(command{"version", "", version}, "print the version"),
			passed(command{"mcp", "", mcp}, "show the methods of a server to agents"),
			s.callCommand(), s.watchCommand(), s.listCommand(), s.describeCommand(), s.diffCommand(), s.inspectCommand(), s.benchCommand(), s.recordCommand(),
		},
	}
	for _, c := range root.Commands {
		c.OnUsageError = func(_ context.Context, cmd *cli.Command, err error, _ bool) error {
			fmt.Fprintf(s.stderr, "wirecall: %v; wirecall %s -help has all flags\n", err, cmd.Name)
			return errUsage
		}
	}
	return root
}

func (s *session) callCommand() *cli.Command {
	return &cli.Command{
		Name: "call", Usage: "call a method and print what it returns",
		UsageText: "wirecall call [flags] URL METHOD [name=text] [name:=JSON] [name=@FILE] [name@FILE]",
		Description: `URL is ws://, wss://, http://, https:// (all four mean a WebSocket), tcp:// or unix://, or
exec:PROGRAM ARGUMENTS for a server on the standard input and output of a program.

A parameter is name=text, name:=JSON, name=@FILE, name:=@FILE, or name@FILE for a stream
with an item of JSON on each line; FILE may be - for the standard input. If the server
describes itself, text is converted to what the parameter is, and streams among the results
are printed. If it does not, watch is for methods whose result is a stream.

A result is printed as JSON, the items of a stream as JSON lines while they come. The exit
status is 0, or 1 if the call failed, 2 if the command was not understood, 3 if the server
could not be reached, 4 if -timeout is over, and 130 after Ctrl-C, which cancels the call.`,
		Flags: append(connectFlags(), callFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return s.call(ctx, cmd, false)
		},
		ShellComplete: s.completeCall,
	}
}

func (s *session) watchCommand() *cli.Command {
	return &cli.Command{
		Name: "watch", Usage: "call a method that returns a stream, and print its items",
		UsageText: "wirecall watch [flags] URL METHOD [name=text] [name:=JSON] …",
		Description: `It is call for a method whose one result is a stream, which the server need not have
described. Items are printed as JSON lines while they come, until the stream ends or
Ctrl-C cancels it. With -cursor param=member, or if the description names a cursor, it goes
on where it was when the connection is lost.`,
		Flags: append(connectFlags(), callFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return s.call(ctx, cmd, true)
		},
		ShellComplete: s.completeCall,
	}
}

// callFlags are those of call and watch.
func callFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "params", Usage: "all parameters as a JSON array or object, or @FILE, in place of arguments"},
		&cli.StringSliceFlag{Name: "meta", Usage: "`key=value` of metadata to send; may be repeated"},
		&cli.DurationFlag{Name: "timeout", Usage: "cancel the call after this time, such as 10s; 0 for none"},
		&cli.StringFlag{Name: "cursor", Usage: "`param=member`: continue a stream by another call, whose parameter has this member of the last item; a.b for a member of a member"},
		&cli.StringFlag{Name: "subscription", Usage: "what the stream is if the server is not wirecall's: the `words` of //wirecall:subscription, such as ethereum"},
		&cli.IntFlag{Name: "n", Usage: "end after so many `items` of streams; 0 for no limit"},
		&cli.BoolFlag{Name: "notify", Usage: "send a notification, which has no answer"},
		&cli.BoolFlag{Name: "undescribed", Usage: "do not ask the server for its description first"},
		&cli.BoolFlag{Name: "raw", Usage: "print a result that is a string without its quotation marks"},
		&cli.BoolFlag{Name: "time", Usage: "print how long things took"},
	}
}

// A caller is one run of call or watch.
type caller struct {
	*session
	cmd   *cli.Command
	conn  connection
	out   printer
	n     int // items printed
	most  int // items to print; 0 for all
	began time.Time
}

// errEnough ends a stream after -n items.
var errEnough = errors.New("enough items")

func (s *session) call(ctx context.Context, cmd *cli.Command, watch bool) error {
	url, name := cmd.Args().Get(0), cmd.Args().Get(1)
	if url == "" || name == "" {
		fmt.Fprintf(s.stderr, "wirecall: want a URL and a method: %s\n", cmd.UsageText)
		return errUsage
	}
	c := &caller{session: s, cmd: cmd, out: newPrinter(s, cmd), most: cmd.Int("n"), began: time.Now()}
	call, err := c.parse(watch)
	if err != nil {
		fmt.Fprintln(s.stderr, "wirecall:", err)
		return errUsage
	}
	if c.conn, err = s.connect(ctx, cmd, url); err != nil {
		return err
	}
	defer c.conn.Close()
	c.elapsed("connected")
	if d := cmd.Duration("timeout"); d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	if call.Method, err = c.method(ctx, name); err != nil {
		return err
	}
	if call.Params == nil {
		if call.Params, err = c.params(call.Method, cmd.Args().Slice()[2:]); err != nil {
			fmt.Fprintln(s.stderr, "wirecall:", err)
			return errUsage
		}
	}
	if call.Subscription, err = c.subscription(call.Method); err != nil {
		fmt.Fprintln(s.stderr, "wirecall:", err)
		return errUsage
	}
	if watch && call.Method.Described && !call.Method.Streams() {
		if len(call.Method.Extension.Streams.Results) > 0 {
			return fmt.Errorf("wirecall: %s has several results: wirecall call prints them, and the items of its streams", name)
		}
		return fmt.Errorf("wirecall: %s returns no stream: %s", name, call.Method.Signature())
	}
	c.began = time.Now()
	err = call.Make(c.withMetadata(ctx), c.conn, &dynamic.Handler{Result: c.result, Item: c.item})
	c.elapsed("done")
	if errors.Is(err, errEnough) {
		return nil
	}
	c.hint(err, call.Method)
	return c.failed(ctx, name, err)
}

// hint prints how a number is written, if parameters did not fit and it is not known what the
// server wants.
func (c *caller) hint(err error, m *openrpc.Method) {
	text := func(arg string) bool { a, err := dynamic.ParseArgument(arg); return err == nil && !a.JSON && !a.Stream }
	if rpc.CodeOf(err) == rpc.CodeInvalidParams && !m.Described && slices.ContainsFunc(c.cmd.Args().Slice()[2:], text) {
		fmt.Fprintln(c.stderr, "wirecall: name=text is a string here, as the server does not describe itself; name:=JSON is a number, a list or an object")
	}
}

// parse reads what the flags say of the call, before there is a connection.
func (c *caller) parse(watch bool) (*dynamic.Call, error) {
	call := &dynamic.Call{Notify: c.cmd.Bool("notify"), Stream: watch}
	for _, m := range c.cmd.StringSlice("meta") {
		if key, _, ok := strings.Cut(m, "="); !ok || key == "" {
			return nil, fmt.Errorf("-meta %s: want key=value", m)
		}
	}
	if text := c.cmd.String("cursor"); text != "" {
		param, path, ok := strings.Cut(text, "=")
		if !ok || param == "" || path == "" {
			return nil, fmt.Errorf("-cursor %s: want param=member", text)
		}
		call.Cursor = &openrpc.Cursor{Param: param, Path: strings.Split(path, ".")}
	}
	text := c.cmd.String("params")
	if text == "" {
		return call, nil
	}
	if c.cmd.Args().Len() > 2 {
		return nil, fmt.Errorf("-params and %q are both given", c.cmd.Args().Get(2))
	}
	b := []byte(text)
	if text[0] == '@' {
		f, err := c.open(text[1:])
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if b, err = io.ReadAll(f); err != nil {
			return nil, err
		}
	}
	if !json.Valid(b) {
		return nil, fmt.Errorf("-params is not JSON: %s", text)
	}
	call.Params = dynamic.JSON(b)
	return call, nil
}

// method returns the method as the server describes it, or only by its name.
func (c *caller) method(ctx context.Context, name string) (*openrpc.Method, error) {
	if c.cmd.Bool("undescribed") {
		return &openrpc.Method{Name: name}, nil
	}
	d, err := dynamic.Discover(ctx, c.conn)
	if errors.Is(err, dynamic.ErrNotDescribed) {
		return &openrpc.Method{Name: name}, nil
	}
	if err != nil {
		return nil, c.failed(ctx, "rpc.discover", err)
	}
	c.elapsed("described")
	m, err := d.Method(name)
	if err != nil {
		return nil, fmt.Errorf("wirecall: %w", err)
	}
	return m, nil
}

// subscription returns what a stream of the method is if the server speaks plain JSON-RPC: what
// the flag says, or else the description, or else the name; nil if none of them does.
func (c *caller) subscription(m *openrpc.Method) (*rpc.Subscription, error) {
	words := strings.Fields(c.cmd.String("subscription"))
	_, topic, ok := strings.Cut(m.Name, "_subscribe")
	switch described := m.Extension.Subscription; {
	case len(words) > 0:
	case described != nil:
		for _, key := range model.SubscriptionKeys {
			words = append(words, key+"="+described[key])
		}
	case m.Streams(): // as a wirecall server has it that declares nothing
	case !ok:
		return nil, nil
	case topic == "":
		words = []string{"ethereum"}
	default:
		words = []string{"substrate"}
	}
	s, err := load.Subscription(m.Name, words)
	if err != nil {
		return nil, fmt.Errorf("-subscription: %w", err)
	}
	return &rpc.Subscription{Subscribe: s.Subscribe, Kind: s.Kind, Notify: s.Notify, End: s.End,
		Unsubscribe: s.Unsubscribe, Cancel: s.Cancel, ID: s.ID, Item: s.Item}, nil
}

func (c *caller) params(m *openrpc.Method, args []string) (any, error) {
	var all []dynamic.Argument
	for _, text := range args {
		a, err := dynamic.ParseArgument(text)
		if err != nil {
			return nil, err
		}
		if name := m.ParamName(a.Name); name != a.Name {
			fmt.Fprintf(c.stderr, "wirecall: the parameter %s is called %s now\n", a.Name, name)
			a.Name = name
		}
		all = append(all, a)
	}
	return dynamic.NewParams(m, all, c.open, c.progress())
}

// progress returns a function that prints how much of an upload has been read, on one
// line of a terminal, or nil where there is none.
func (c *caller) progress() func(string, int64) {
	if !isTerminal(c.stderr) {
		return nil
	}
	var last time.Time
	return func(name string, read int64) {
		if now := time.Now(); now.Sub(last) > 200*time.Millisecond {
			last = now
			fmt.Fprintf(c.stderr, "\r%s: %.1f MB", name, float64(read)/1e6)
		}
	}
}

// open opens a file of the command's folder, or the standard input.
func (c *caller) open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(c.stdin), nil
	}
	return os.Open(c.path(name))
}

func (c *caller) withMetadata(ctx context.Context) context.Context {
	all := map[string]string{}
	for _, m := range c.cmd.StringSlice("meta") {
		key, value, _ := strings.Cut(m, "=")
		all[key] = value
	}
	if len(all) == 0 {
		return ctx
	}
	return rpc.WithMetadata(ctx, all)
}

func (c *caller) result(name string, v dynamic.JSON) error { return c.out.value(name, v) }

func (c *caller) item(name string, v dynamic.JSON) error {
	if err := c.out.item(name, v); err != nil {
		return err
	}
	if c.n++; c.n == c.most {
		return errEnough
	}
	return nil
}

// elapsed prints, with -time, the time since the last call of it.
func (c *caller) elapsed(what string) {
	if c.cmd.Bool("time") {
		fmt.Fprintf(c.stderr, "%s after %s\n", what, time.Since(c.began).Round(time.Microsecond))
		c.began = time.Now()
	}
}

// failed is the error of a call as the command reports it.
func (c *caller) failed(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case c.interrupted != nil && c.interrupted.Err() != nil:
		return &exitError{exitInterrupted, fmt.Errorf("wirecall: interrupted; %s has been cancelled", what)}
	case errors.Is(ctx.Err(), context.DeadlineExceeded), c.cmd.Duration("timeout") > 0 && errors.Is(err, context.DeadlineExceeded): // the server may be first
		return &exitError{exitTimeout, fmt.Errorf("wirecall: %s has not come back within %s, and has been cancelled", what, c.cmd.Duration("timeout"))}
	}
	if rpc.CodeOf(err) == rpc.CodeNeedsWirecall && c.cmd.Name == "watch" && !c.cmd.IsSet("subscription") {
		err = errors.New("the server speaks plain JSON-RPC: say with -subscription how it subscribes, such as -subscription ethereum")
	}
	return &exitError{exitFailed, fmt.Errorf("wirecall: %s: %s", what, describeError(err))}
}

// describeError is an error with what a message does not say: its code, its type and its
// data.
func describeError(err error) string {
	e, ok := errors.AsType[*rpc.Error](err)
	if !ok {
		return err.Error()
	}
	text := fmt.Sprintf("%s (code %d)", e.Message, e.Code)
	if e.Type != "" {
		text = fmt.Sprintf("%s (%s, code %d)", e.Message, e.Type, e.Code)
	}
	var data dynamic.JSON
	if e.Decode(&data) == nil && len(data) > 0 && string(data) != "null" {
		text += "\n" + string(data)
	}
	return text
}
