package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// A child is a process of this program that serves a peer, or is its client. It
// prints the address at which it can be told what to do, over net/rpc, and
// exits when its standard input ends: when its parent says so, or dies.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	addr  string // of its Control
	rpc   *rpc.Client
}

// childEnv is set in a child's environment.
const childEnv = "WIRECALL_BENCH_CHILD"

// memory is how much of it a child may use. Peers that queue without end for a
// slow consumer would take all there is.
const memory = 4 << 30

// orders is how long a child may take for what it does at once.
const orders = 20 * time.Second

func isChild() bool { return os.Getenv(childEnv) != "" }

// childMain is a child's main.
func childMain() error {
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: memory, Max: memory}); err != nil {
		return err
	}
	raiseFiles()
	if err := startProfiles(); err != nil {
		return err
	}
	srv := rpc.NewServer()
	if err := srv.RegisterName("Control", new(Control)); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go srv.Accept(ln)
	fmt.Println(ln.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// raiseFiles raises the limit of open files where the system lets it; up to its
// hard limit package os has done so.
func raiseFiles() {
	const enough = 1 << 20
	syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: enough, Max: enough})
}

// roomFor is an error when the process, and so its peer, may not open so many
// connections. Running into it would look like a peer that hangs.
func roomFor(conns int) error {
	const others = 64 // what a process opens besides
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil || uint64(conns)+others <= r.Cur {
		return nil
	}
	return fmt.Errorf("%d connections need as many open files, and %d are allowed: raise ulimit -n", conns, r.Cur)
}

func startChild() (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stderr = &tail{max: 2000}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, stdin: stdin}
	if err := c.connect(stdout); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

func (c *child) connect(stdout io.Reader) error {
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return fmt.Errorf("child did not start: %w", err)
	}
	c.addr = strings.TrimSpace(line)
	c.rpc, err = rpc.Dial("tcp", c.addr)
	return err
}

// stop ends the child at once, whatever it is in.
func (c *child) stop() {
	if c.rpc != nil {
		c.rpc.Close()
	}
	c.stdin.Close()
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// call asks for something that takes at most limit. When the child dies or is
// late the error has what it said last.
func (c *child) call(limit time.Duration, method string, arg, reply any) error {
	call := c.rpc.Go("Control."+method, arg, reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		if _, answered := errors.AsType[rpc.ServerError](call.Error); answered || call.Error == nil {
			return call.Error
		}
		c.stop() // so that all it said has been read
		return fmt.Errorf("its process died: %s", cmp.Or(firstLine(c.cmd.Stderr.(*tail).text), "saying nothing"))
	case <-time.After(limit):
		return fmt.Errorf("took longer than %s", limit)
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// A tail keeps the first max bytes of what a child says: of a stack trace the
// reason, not the stacks.
type tail struct {
	max  int
	text string
}

func (t *tail) Write(b []byte) (int, error) {
	t.text += string(b[:min(len(b), t.max-len(t.text))])
	return len(b), nil
}

// Control is what a child does, as net/rpc serves it.
type Control struct{}

// A Service says what a server shall serve.
type Service struct {
	Peer    string
	Options Options
}

// Nothing is net/rpc's way to have no parameters.
type Nothing struct{}

// Serve begins to serve a peer and tells where.
func (*Control) Serve(s Service, addrs *[]string) error {
	p, err := findPeer(s.Peer)
	if err != nil {
		return err
	}
	for i := range max(1, s.Options.Addresses) {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.%d:0", i+1))
		if err != nil {
			return err
		}
		*addrs = append(*addrs, ln.Addr().String())
		if _, err := p.Serve(ln, s.Options); err != nil {
			return err
		}
	}
	return nil
}

// Usage tells what the process has used.
func (*Control) Usage(_ Nothing, u *Usage) error {
	*u = readUsage()
	return nil
}

// Tidy tidies up and tells the usage.
func (*Control) Tidy(_ Nothing, u *Usage) error {
	*u = tidy()
	return nil
}

// Run does a job as the client.
func (*Control) Run(j Job, s *Sample) error {
	server, err := rpc.Dial("tcp", j.Control)
	if err != nil {
		return err
	}
	defer server.Close()
	j.server = server
	*s, err = j.run(context.Background())
	return err
}

// measure makes one sample of j in two processes of its own. What goes wrong is
// in the sample.
func measure(j Job) (s Sample) {
	busy, began := machineCPU(), time.Now()
	s, err := measureIn(j)
	if err != nil {
		s.Err = err.Error()
	}
	s.Peer, s.Work, s.X = j.Peer, j.Work.Name, j.Work.X
	if d := time.Since(began); busy > 0 {
		s.Others = max(0, (machineCPU()-busy-s.children).Seconds()/d.Seconds())
	}
	return s
}

func measureIn(j Job) (s Sample, err error) {
	server, err := startChild()
	if err != nil {
		return s, err
	}
	defer func() { s.children += server.cpu() }()
	defer server.stop()
	client, err := startChild()
	if err != nil {
		return s, err
	}
	defer func() { s.children += client.cpu() }()
	defer client.stop()

	if err := server.call(orders, "Serve", Service{j.Peer, j.Work.options()}, &j.Addrs); err != nil {
		return s, err
	}
	j.Control = server.addr
	if err := client.call(j.limit(), "Run", j, &s); err != nil || os.Getenv(profileEnv) == "" {
		return s, err
	}
	name := j.Peer + "-" + j.Work.Name
	return s, errors.Join(
		server.call(orders, "Profile", name+"-server", &Nothing{}),
		client.call(orders, "Profile", name+"-client", &Nothing{}))
}

// cpu is what a child that was stopped has used.
func (c *child) cpu() time.Duration {
	st := c.cmd.ProcessState
	if st == nil {
		return 0
	}
	return st.UserTime() + st.SystemTime()
}
