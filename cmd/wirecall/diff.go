package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/wirecall/wirecall/internal/compat"
)

func (s *session) diffCommand() *cli.Command {
	return &cli.Command{
		Name: "diff", Usage: "say what has changed between two descriptions, and what that breaks",
		UsageText: "wirecall diff [flags] OLD NEW",
		Description: `OLD and NEW are OpenRPC documents, as gen -openrpc writes them: a file, the URL of a server
that describes itself, or git:REVISION:FILE. A line says how bad a difference is (error: it
breaks older clients of a newer server; warning: it may break others; info), its rule, and
where it is.

The exit status is 0, 1 if there is an error that is not allowed, 2 if the command was not
understood, and 3 if a server could not be reached.`,
		Flags: append(connectFlags(),
			&cli.StringSliceFlag{Name: "allow", Usage: "`RULE:Path` of a difference that is meant, or RULE for all of them; may be repeated"},
			&cli.StringFlag{Name: "format", Usage: "text, json, or github for annotations in a workflow", Value: "text"}),
		Action: s.diff,
	}
}

func (s *session) diff(ctx context.Context, cmd *cli.Command) error {
	usage := func(format string, args ...any) error {
		fmt.Fprintf(s.stderr, "wirecall: "+format+"\n", args...)
		return errUsage
	}
	if cmd.Args().Len() != 2 {
		return usage("want two descriptions: %s", cmd.UsageText)
	}
	for _, allow := range cmd.StringSlice("allow") {
		if rule, _, _ := strings.Cut(allow, ":"); !compat.Known(rule) {
			return usage("-allow %s: there is no rule %s", allow, rule)
		}
	}
	write, ok := formats[cmd.String("format")]
	if !ok {
		return usage("-format %s: want text, json or github", cmd.String("format"))
	}
	older, err := s.descriptionOf(ctx, cmd, cmd.Args().Get(0))
	if err != nil {
		return err
	}
	newer, err := s.descriptionOf(ctx, cmd, cmd.Args().Get(1))
	if err != nil {
		return err
	}
	found, err := compat.Compare(older, newer)
	if err != nil {
		return fmt.Errorf("wirecall: %w", err)
	}
	found = slices.DeleteFunc(found, func(f compat.Finding) bool {
		return slices.Contains(cmd.StringSlice("allow"), f.Rule) || slices.Contains(cmd.StringSlice("allow"), f.Rule+":"+f.Path)
	})
	if err := write(s, found); err != nil {
		return err
	}
	broken := 0
	for _, f := range found {
		if f.Severity == compat.Error {
			broken++
		}
	}
	if broken > 0 {
		return fmt.Errorf("wirecall: %d differences break older clients; -allow RULE:Path accepts one", broken)
	}
	return nil
}

// descriptionOf reads what an argument names.
func (s *session) descriptionOf(ctx context.Context, cmd *cli.Command, from string) ([]byte, error) {
	b, err := s.document(ctx, from, func(ctx context.Context) (connection, error) { return s.connect(ctx, cmd, from) })
	if _, ok := errors.AsType[*exitError](err); err != nil && !ok && !errors.Is(err, errUsage) {
		err = fmt.Errorf("wirecall: %s: %w", from, err)
	}
	return b, err
}

// formats are how findings are written.
var formats = map[string]func(*session, []compat.Finding) error{
	"text": func(s *session, found []compat.Finding) (err error) {
		for _, f := range found {
			_, e := fmt.Fprintln(s.stdout, f)
			err = errors.Join(err, e)
		}
		return err
	},
	"json": func(s *session, found []compat.Finding) error {
		e := json.NewEncoder(s.stdout)
		e.SetIndent("", "  ")
		if found == nil {
			found = []compat.Finding{}
		}
		return e.Encode(found)
	},
	"github": func(s *session, found []compat.Finding) (err error) {
		level := map[compat.Severity]string{compat.Error: "error", compat.Warning: "warning", compat.Info: "notice"}
		for _, f := range found {
			_, e := fmt.Fprintf(s.stdout, "::%s title=%s::%s: %s\n", level[f.Severity], f.Rule, f.Path, f.Text)
			err = errors.Join(err, e)
		}
		return err
	},
}
