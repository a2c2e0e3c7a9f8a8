package chaos

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// program is the variable that says which program the test binary is.
const program = "CHAOS_PROGRAM"

// programs are what the test binary can be. Each calls ready with its address once, and
// returns when it has been terminated.
var programs = map[string]func(ready func(addr string)) error{"nats": runNATS, "node": runNode}

func TestMain(m *testing.M) {
	run := programs[os.Getenv(program)]
	if run == nil {
		os.Exit(m.Run())
	}
	go func() { // the end of the parent
		io.Copy(io.Discard, os.Stdin)
		os.Exit(2)
	}()
	if err := run(func(addr string) { fmt.Println(addr) }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A process is a program that runs.
type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr *tail
	addr   chan string   // has the address when the program has printed it
	exited chan struct{} // closed when the process has ended
	err    error         // how, after exited
}

// start starts a program with variables of the environment, and does not wait until it is
// ready. The process is killed when the test ends, and must not have found a race.
func start(t *testing.T, name string, env ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0]), stderr: &tail{}, addr: make(chan string, 1), exited: make(chan struct{})}
	p.cmd.Env = append(append(os.Environ(), program+"="+name), env...)
	p.cmd.Stderr = p.stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.watch(stdout)
	t.Cleanup(func() {
		p.kill()
		if out := p.stderr.String(); t.Failed() && out != "" || strings.Contains(out, "DATA RACE") || strings.Contains(out, "panic:") {
			t.Errorf("%s %v, %v: %s", name, env, p.err, out)
		}
	})
	return p
}

// watch reads what the program prints until it ends.
func (p *process) watch(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	if lines.Scan() {
		p.addr <- lines.Text()
	}
	io.Copy(io.Discard, stdout)
	p.err = p.cmd.Wait()
	p.stdin.Close()
	close(p.exited)
}

// ready waits until the program is, and returns its address.
func (p *process) ready() (string, error) {
	select {
	case addr := <-p.addr:
		return addr, nil
	case <-p.exited:
		return "", errors.New("the process has ended")
	}
}

// kill ends the process at once.
func (p *process) kill() {
	p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.exited
}

// terminate asks the program to end, and returns how it has.
func (p *process) terminate() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.exited
	if p.err != nil {
		return fmt.Errorf("%w: %s", p.err, p.stderr)
	}
	return nil
}

// pause stops the process where it is, until cont.
func (p *process) pause() { p.cmd.Process.Signal(syscall.SIGSTOP) }

func (p *process) cont() { p.cmd.Process.Signal(syscall.SIGCONT) }

// A tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// kept is how many bytes a tail has at least, once they were written.
const kept = 16 << 10

func (w *tail) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Write(b)
	if n := w.buf.Len() - kept; n > kept {
		w.buf.Next(n)
	}
	return len(b), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}
