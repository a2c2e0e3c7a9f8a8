// Lsp prints what a language server finds in files, one finding a line, and exits with 1
// if there are any. It is for one folder at a time.
//
//	go run ./example/lsp main.go check.go
//	go run ./example/lsp -server 'pylsp' -language python tool.py
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
)

func main() {
	server := flag.String("server", "gopls", "the `command` of the language server, which speaks on its standard input and output")
	language := flag.String("language", "go", "the `language` of the files")
	verbose := flag.Bool("v", false, "print what the server logs")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c := checker{language: *language, out: os.Stdout, log: io.Discard}
	if *verbose {
		c.log = os.Stderr
	}
	found, err := run(ctx, *server, &c, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "lsp:", err)
		os.Exit(2)
	}
	if found > 0 {
		os.Exit(1)
	}
}

// run starts a language server, has it check files, and waits for its end.
func run(ctx context.Context, command string, c *checker, files []string) (found int, err error) {
	words := strings.Fields(command)
	if len(words) == 0 {
		return 0, errors.New("no command")
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stderr = c.log
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	found, err = c.check(ctx, stdio{out, in}, files)
	in.Close()
	if ended := cmd.Wait(); err == nil {
		err = ended
	}
	return found, err
}

// stdio is the standard input and output of a program as one.
type stdio struct {
	io.Reader
	io.WriteCloser
}
