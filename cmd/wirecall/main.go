package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, &session{args: os.Args[1:], dir: ".", stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, interrupted: ctx})
	stop()
	os.Exit(code)
}

// A session is one run of the command and all that it touches.
type session struct {
	args           []string
	dir            string
	env            []string // nil means the process's own
	stdin          io.Reader
	stdout, stderr io.Writer
	interrupted    context.Context // ends with Ctrl-C; nil if that cannot be
}

// path is a file's name as the command's folder has it.
func (s *session) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

// A command is one subcommand.
type command struct {
	name, usage string
	run         func(ctx context.Context, s *session, args []string) error
}

var commands = []command{
	{"gen", genUsage, gen},
	{"import", importUsage, imported},
	{"version", "version\n\tPrint the version.", version},
	{"call", "call [flags] URL METHOD [name=text] [name:=JSON] …\n\tCall a method of a server, and print what it returns.", remote("call")},
	{"watch", "watch [flags] URL METHOD [name=text] …\n\tCall a method that returns a stream, and print its items.", remote("watch")},
	{"list", "list [flags] URL [PREFIX]\n\tList the methods of a server that describes itself.", remote("list")},
	{"describe", "describe [flags] URL METHOD|TYPE\n\tPrint what a server says of a method or a type.", remote("describe")},
	{"diff", "diff [flags] OLD NEW\n\tSay what has changed between two descriptions, and what that breaks.", remote("diff")},
	{"inspect", "inspect [flags] URL\n\tServe a page that shows a server and calls it.", remote("inspect")},
	{"bench", "bench [flags] URL [METHOD [name=text] …]\n\tPut load on a server and measure it.", remote("bench")},
	{"mcp", mcpUsage, mcp},
	{"record", "record [flags] URL\n\tPass on what clients and a server send, and write it as transcripts for tests.", remote("record")},
	{"completion", "completion bash|zsh|fish|pwsh\n\tPrint a script that completes commands, methods and parameters.", remote("completion")},
}

// errUsage is returned after the usage has been printed.
var errUsage = errors.New("usage")

// run does what the arguments say and returns the exit status: 1 where it
// failed, 2 where it was not understood.
func run(ctx context.Context, s *session) int {
	if len(s.args) == 0 {
		usage(s.stderr)
		return 2
	}
	name, args := s.args[0], s.args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		usage(s.stdout)
		return 0
	}
	for _, c := range commands {
		if c.name == name {
			return exit(s, c.run(ctx, s, args))
		}
	}
	fmt.Fprintf(s.stderr, "wirecall: unknown command %q\n\n", name)
	usage(s.stderr)
	return 2
}

func exit(s *session, err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	}
	fmt.Fprintln(s.stderr, err)
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.status
	}
	return 1
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Wirecall writes the code between a Go interface and the wire.\n\nUsage: go tool wirecall COMMAND [arguments]\n")
	for _, c := range commands {
		fmt.Fprintf(w, "\n%s\n", c.usage)
	}
	fmt.Fprint(w, "\nhelp\n\tPrint this.\n")
}

// flags is the flag set of a subcommand.
func (s *session) flags(name, usage string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(s.stderr)
	fs.Usage = func() {
		fmt.Fprintf(s.stderr, "Usage: go tool wirecall %s\n\nFlags:\n", usage)
		fs.PrintDefaults()
	}
	return fs
}

// parse parses the flags of a subcommand, which prints what is wrong with them.
func parse(fs *flag.FlagSet, args []string) error {
	err := fs.Parse(args)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return errUsage
	}
	return err
}

func version(_ context.Context, s *session, _ []string) error {
	v := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	_, err := fmt.Fprintln(s.stdout, "wirecall", v)
	return err
}
