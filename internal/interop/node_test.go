//go:build node

package interop

import (
	"bufio"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// install gets what the scripts import, once.
var install = sync.OnceValue(func() error {
	if installed() {
		return nil
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = "node"
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return nil
})

// installed reports whether npm has installed what it locks: when it has finished, it
// writes what it has done.
func installed() bool {
	locked, err := os.Stat("node/package-lock.json")
	if err != nil {
		return false
	}
	done, err := os.Stat("node/node_modules/.package-lock.json")
	return err == nil && done.ModTime().After(locked.ModTime())
}

// eachScript calls f with each script in a folder of node.
func eachScript(t *testing.T, folder string, f func(t *testing.T, script string)) {
	if err := install(); err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob(filepath.Join("node", folder, "*.mjs"))
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts: ", err)
	}
	for _, script := range scripts {
		t.Run(filepath.Base(script), func(t *testing.T) { f(t, script) })
	}
}

// run runs a client.
func run(t *testing.T, script, addr string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "node", script, "ws://"+addr).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestNode runs the scripts in node, each of which is one JavaScript client. A
// chain grows while they do, for whoever subscribes to it until they leave.
func TestNode(t *testing.T) {
	eachScript(t, "", func(t *testing.T, script string) {
		b, tp := serveHTTP(t)
		stop, left := make(chan struct{}), make(chan bool)
		go func() { left <- b.grow(stop) }()
		run(t, script, tp.addr)
		close(stop)
		if !<-left {
			t.Error("the producer ended by itself")
		}
	})
}

// TestNodeCalls runs those that subscribe to nothing.
func TestNodeCalls(t *testing.T) {
	eachScript(t, "calls", func(t *testing.T, script string) {
		_, tp := serveHTTP(t)
		run(t, script, tp.addr)
	})
}

// TestDialNode connects to servers in JavaScript, which agree to whatever
// subprotocol is offered first.
func TestDialNode(t *testing.T) {
	eachScript(t, "servers", func(t *testing.T, script string) {
		url, notes := startServer(t, script)
		callPlain(t, dial(t, url), notes)
	})
}

// startServer starts a server, which prints its address and then notes, and returns
// both.
func startServer(t *testing.T, script string) (url string, notes <-chan string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", script)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		cmd.Wait()
		t.Fatal("the server has not begun: ", &complaints)
	}
	url = lines.Text()
	said := make(chan string, 10)
	go func() {
		defer close(said)
		for lines.Scan() {
			said <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		for range said {
		}
		cmd.Wait()
	})
	return url, said
}

// The commands call servers in JavaScript, and watch events of rpc-websockets.
func TestCommandsWithNode(t *testing.T) {
	eachScript(t, "servers", func(t *testing.T, script string) {
		url, notes := startServer(t, script)
		session(t, url, calcSession+"\n$ wirecall call -notify -position URL calc_note text=noted")
		if note := <-notes; note != "noted" {
			t.Error(note)
		}
		if filepath.Base(script) == "rpc-websockets.mjs" {
			watchEvents(t, url)
		}
	})
}

// watchEvents watches an event of rpc-websockets, which is emitted once the server has been
// asked for it.
func watchEvents(t *testing.T, url string) {
	t.Helper()
	program, err := cli()
	if err != nil {
		t.Fatal(err)
	}
	watch := exec.CommandContext(t.Context(), program, "watch", "-n", "1", "-subscription", "rpc-websockets", url, "prices")
	out, err := watch.StdoutPipe()
	if err == nil {
		err = watch.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	publisher := NewPublisherClient(dial(t, url))
	item := make(chan string)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		item <- line
	}()
	for {
		if err := publisher.Publish(t.Context(), "prices", 7, nil); err != nil {
			t.Fatal(err)
		}
		select {
		case line := <-item:
			if line != "7\n" {
				t.Errorf("the event is %q", line)
			}
			if err := watch.Wait(); err != nil {
				t.Error(err)
			}
			return
		default: // it has not subscribed yet
		}
	}
}

// A server of rpc-websockets emits events to the connections that have asked for them by
// name.
func TestRPCWebSocketsEvents(t *testing.T) {
	if err := install(); err != nil {
		t.Fatal(err)
	}
	url, _ := startServer(t, "node/servers/rpc-websockets.mjs")
	conn := dial(t, url)
	feeds, publisher, ctx := NewFeedsClient(conn), NewPublisherClient(conn), t.Context()
	prices, err := feeds.Prices(ctx)
	if err != nil {
		t.Fatal(err)
	}
	nextPrice, leavePrices := iter.Pull2(prices)
	defer leavePrices()
	alarms, err := feeds.Alarms(ctx)
	if err != nil {
		t.Fatal(err)
	}
	nextAlarm, leaveAlarms := iter.Pull2(alarms)
	defer leaveAlarms()

	publish := func(event string, price int, alarm *Alarm) {
		t.Helper()
		if err := publisher.Publish(ctx, event, price, alarm); err != nil {
			t.Fatal(err)
		}
	}
	for price := range 3 {
		publish("prices", price, nil)
		publish("alarms", price, &Alarm{"attic"})
		if got, err, _ := nextPrice(); got != price || err != nil {
			t.Error(got, err)
		}
		if got, err, _ := nextAlarm(); got.Where != "attic" || err != nil {
			t.Error(got, err)
		}
	}

	if _, err := feeds.Prices(ctx); err == nil {
		t.Error("an event twice")
	}
	if _, err := publisher.Missing(ctx); err == nil {
		t.Error("an event that the server does not have")
	}
	leavePrices()
	prices, err = feeds.Prices(ctx)
	if err != nil {
		t.Fatal(err)
	}
	publish("prices", 7, nil)
	for got, err := range prices {
		if got != 7 || err != nil {
			t.Error(got, err)
		}
		break
	}
}

// grow yields headers with ascending numbers until stop is closed and a subscription has
// ended, and reports whether each ended because its reader left.
func (b *backend) grow(stop <-chan struct{}) bool {
	ended, left := 0, true
	for n := 100; ; n++ {
		select {
		case b.heads <- header(fmt.Sprintf("%#x", n)):
		case gone := <-b.ended:
			ended++
			left = left && gone
		case <-stop:
			if ended == 0 {
				left = <-b.ended
			}
			return left
		}
	}
}
