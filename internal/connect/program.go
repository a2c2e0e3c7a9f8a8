package connect

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// To connects to a URL, with the result of DialOptions. The URL is one of rpc.Dial's, or
// exec: and a program with its arguments, which is started.
func (o *Options) To(ctx context.Context, url string, d *rpc.DialOptions) (*rpc.Conn, error) {
	command, ok := strings.CutPrefix(url, "exec:")
	if !ok {
		return rpc.Dial(ctx, url, d)
	}
	p, err := o.Start(command)
	if err != nil {
		return nil, err
	}
	return rpc.NewConn(ctx, p, &rpc.ConnOptions{Token: d.Token, Framing: d.Framing, Plain: d.Plain, ByPosition: d.ByPosition, Logger: d.Logger})
}

// Start starts a program, and returns its standard input and output. Close ends its input,
// and the program if that does not.
func (o *Options) Start(command string) (io.ReadWriteCloser, error) {
	args := strings.Fields(command)
	if len(args) == 0 {
		return nil, errors.New("exec: needs a program and its arguments")
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stderr = o.Dir, o.Stderr
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
	return &program{out, in, cmd}, nil
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
