package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// role is the variable of the environment that makes the program one of the roles.
const role = "SCALE_ROLE"

// roles are what a child process can be. Each begins what it does and returns its address
// and what answers commands.
var roles = map[string]func(args []string) (addr string, answer func(command string, u *usage) error, err error){
	"nats": runNATS, "node": runNode, "clients": runClients,
}

// A usage is what a child has used and done since it has begun.
type usage struct {
	CPU      time.Duration
	Resident int64 // bytes, when everything is at rest

	In, Out    int64 // messages of NATS
	Events     int64 // that clients have published
	Deliveries int64 // that clients have got
	Rate       float64
	P50, P99   time.Duration // from the store to a client
}

// runChild is a child: it prints its address, and then a usage for each line that it reads.
func runChild(name string) error {
	addr, answer, err := roles[name](os.Args[1:])
	if err != nil {
		return err
	}
	fmt.Println(addr)
	out := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var u usage
		if err := answer(in.Text(), &u); err != nil {
			return err
		}
		if u.CPU, err = processorTime(); err != nil {
			return err
		}
		if in.Text() == "rest" {
			if u.Resident, err = resident(); err != nil {
				return err
			}
		}
		if err := out.Encode(u); err != nil {
			return err
		}
	}
	return nil
}

// processorTime returns what this process has used of processors.
func processorTime() (time.Duration, error) {
	var r syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), err
}

// resident returns the resident memory of this process, without garbage.
func resident() (int64, error) {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var total, pages int64
	_, err = fmt.Sscan(string(text), &total, &pages)
	return pages * int64(os.Getpagesize()), err
}

// A child is a process in a role.
type child struct {
	addr string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

// start starts a child, and returns when it is ready.
func start(name string, args ...string) (*child, error) {
	c := &child{cmd: exec.Command(os.Args[0], args...)}
	c.cmd.Env = append(os.Environ(), role+"="+name)
	c.cmd.Stderr = os.Stderr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.in, c.out = in, bufio.NewReader(out)
	line, err := c.out.ReadString('\n')
	c.addr = strings.TrimSpace(line)
	return c, named(name, err)
}

// ask sends a command, and returns the answer.
func (c *child) ask(command string) (u usage, err error) {
	if _, err = fmt.Fprintln(c.in, command); err != nil {
		return u, err
	}
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return u, named(command, err)
	}
	return u, json.Unmarshal(line, &u)
}

// stop ends the child.
func (c *child) stop() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// named says in an error what has failed.
func named(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
