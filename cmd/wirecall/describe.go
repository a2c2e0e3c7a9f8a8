package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/wirecall/wirecall/internal/dynamic"
	"github.com/wirecall/wirecall/internal/openrpc"
)

func (s *session) listCommand() *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "list the methods of a server that describes itself",
		UsageText: "wirecall list [flags] URL [PREFIX]",
		Flags:     connectFlags(),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			d, err := s.discover(ctx, cmd, "a URL")
			if err != nil {
				return err
			}
			out := newPrinter(s, cmd)
			for _, m := range d.Methods {
				if strings.HasPrefix(m.Name, cmd.Args().Get(1)) {
					line := m.Signature()
					if text := firstLine(m.Summary, m.Description); text != "" {
						line += "  " + out.color("2", "# "+text)
					}
					fmt.Fprintln(s.stdout, line)
				}
			}
			return nil
		},
		ShellComplete: func(context.Context, *cli.Command) {},
	}
}

func (s *session) describeCommand() *cli.Command {
	return &cli.Command{
		Name: "describe", Usage: "print what a server says of a method or a type",
		UsageText: "wirecall describe [flags] URL METHOD|TYPE",
		Flags:     connectFlags(),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			name := cmd.Args().Get(1)
			if name == "" {
				fmt.Fprintf(s.stderr, "wirecall: want a URL and a method or a type: %s\n", cmd.UsageText)
				return errUsage
			}
			d, err := s.discover(ctx, cmd, "a URL and a method or a type")
			if err != nil {
				return err
			}
			if schema, ok := d.Components.Schemas[name]; ok {
				return s.printSchema(schema.Text)
			}
			m, err := d.Method(name)
			if err != nil {
				return fmt.Errorf("wirecall: %w", err)
			}
			s.describe(m)
			return nil
		},
		ShellComplete: s.completeCall,
	}
}

// discover connects to the server that the command names, and asks it for its description.
func (s *session) discover(ctx context.Context, cmd *cli.Command, want string) (*openrpc.Document, error) {
	url := cmd.Args().Get(0)
	if url == "" {
		fmt.Fprintf(s.stderr, "wirecall: want %s: %s\n", want, cmd.UsageText)
		return nil, errUsage
	}
	conn, err := s.connect(ctx, cmd, url)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	d, err := dynamic.Discover(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("wirecall: %w", err)
	}
	return d, nil
}

// describe prints a method: its signature, its documentation, its parameters and errors.
func (s *session) describe(m *openrpc.Method) {
	fmt.Fprintln(s.stdout, m.Signature())
	if text := strings.TrimSpace(m.Description); text != "" {
		fmt.Fprintf(s.stdout, "\n    %s\n", strings.ReplaceAll(text, "\n", "\n    "))
	}
	for _, note := range m.Notes() {
		fmt.Fprintf(s.stdout, "\n    %s\n", note)
	}
	for _, v := range m.Params {
		if text := valueDoc(v, m.Sends(v.Name)); text != "" {
			fmt.Fprintf(s.stdout, "\n%s: %s\n", v.Name, text)
		}
	}
	if m.Result != nil {
		if text := valueDoc(m.Result, m.Streams()); text != "" {
			fmt.Fprintf(s.stdout, "\nresult: %s\n", text)
		}
	}
	if len(m.Errors) > 0 {
		fmt.Fprintln(s.stdout, "\nErrors:")
		for _, e := range m.Errors {
			fmt.Fprintf(s.stdout, "    %s (code %d)\n", e.Message, e.Code)
		}
	}
}

// valueDoc returns what is said of a parameter or result, or else of its type. What stands for
// a stream is said in the signature.
func valueDoc(v *openrpc.Value, stream bool) string {
	if v.Schema == nil || stream {
		return firstLine(v.Summary, v.Description)
	}
	return firstLine(v.Summary, v.Description, v.Schema.Description)
}

func (s *session) printSchema(schema []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, schema, "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintln(s.stdout, b.String())
	return err
}

// firstLine is the first line of the first text that has one.
func firstLine(texts ...string) string {
	for _, text := range texts {
		if line, _, _ := strings.Cut(strings.TrimSpace(text), "\n"); line != "" {
			return line
		}
	}
	return ""
}

// completeTimeout is how long completion may wait for a server.
const completeTimeout = 2 * time.Second

// completeCall completes the method behind a URL, and then the names of its parameters, if
// the server describes itself. A server that cannot be asked completes nothing.
func (s *session) completeCall(ctx context.Context, cmd *cli.Command) {
	args := cmd.Args().Slice()
	if len(args) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	quiet := *s
	quiet.stderr = new(bytes.Buffer)
	d, err := quiet.discover(ctx, cmd, "")
	if err != nil {
		return
	}
	if i := slices.IndexFunc(d.Methods, func(m *openrpc.Method) bool { return len(args) > 1 && m.Name == args[1] }); i >= 0 {
		for _, v := range d.Methods[i].Params {
			fmt.Fprintln(s.stdout, v.Name+dynamic.Sign(d.Methods[i], v.Name))
		}
		return
	}
	for _, m := range d.Methods {
		fmt.Fprintln(s.stdout, m.Name)
	}
}
