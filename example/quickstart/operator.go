package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/wirecall/wirecall/example/quickstart/deploy"
	"github.com/wirecall/wirecall/rpc"
)

// An operator has a cluster, which may be anywhere, and prints what it does
// with it.
type operator struct {
	cluster deploy.Cluster
	out     io.Writer
	events  <-chan string // what is to be seen at the cluster
}

// look waits for what is next to be seen at the cluster.
func (o *operator) look(ctx context.Context) error {
	select {
	case what := <-o.events:
		o.print("  at the cluster: %s", what)
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (o *operator) print(format string, args ...any) { fmt.Fprintf(o.out, format+"\n", args...) }

// Choose makes an operator a deploy.Operator, which the cluster can ask.
func (o *operator) Choose(ctx context.Context, question string, options []string) (string, error) {
	o.print("  the cluster asks: %s %v", question, options)
	return options[1], nil
}

// operate does one thing after the other, until one fails.
func (o *operator) operate(ctx context.Context) error {
	for _, step := range []struct {
		title string
		do    func(context.Context) error
	}{
		{"A call", o.status},
		{"A notification, which nobody answers", o.heartbeat},
		{"An error with a type", o.unknown},
		{"A stream from the server", o.deploy},
		{"An upload, watched as a snapshot and its changes", o.start},
		{"Streams in both directions", o.check},
		{"A call from the server to the client", o.restart},
		{"A stream that is left", o.logs},
	} {
		o.print("%s:", step.title)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.title, err)
		}
	}
	return nil
}

func (o *operator) status(ctx context.Context) error {
	status, err := o.cluster.Status(ctx, "web")
	if err != nil {
		return err
	}
	o.print("  %s %s, %d instances", status.Service, status.Version, status.Instances)
	return nil
}

func (o *operator) heartbeat(ctx context.Context) error {
	if err := o.cluster.Heartbeat(ctx, 7); err != nil {
		return err
	}
	return o.look(ctx)
}

func (o *operator) unknown(ctx context.Context) error {
	_, err := o.cluster.Status(ctx, "wep")
	unknown, ok := errors.AsType[*deploy.UnknownService](err)
	if !ok {
		return fmt.Errorf("the status of wep: %v", err)
	}
	o.print("  %v; is it %s?", err, unknown.Similar)
	return nil
}

func (o *operator) deploy(ctx context.Context) error {
	steps, err := o.cluster.Deploy(ctx, "worker", "v2.1")
	if err != nil {
		return err
	}
	for step, err := range steps {
		if err != nil {
			return err
		}
		o.print("  %s %s", step.Action, step.Version)
	}
	return nil
}

func (o *operator) start(ctx context.Context) error {
	now, changes, err := o.cluster.Instances(ctx)
	if err != nil {
		return err
	}
	o.print("  %d instances of web", now["web"])
	started, err := o.cluster.Start(ctx, rpc.Of(
		deploy.Order{Service: "worker", Instances: 8},
		deploy.Order{Service: "web", Instances: 2},
	))
	if err != nil {
		return err
	}
	o.print("  started %d", started)
	for change, err := range changes {
		if err != nil {
			return err
		}
		o.print("  now %d of %s", change.Instances, change.Service)
		if change.Service == "web" {
			break
		}
	}
	return nil
}

func (o *operator) check(ctx context.Context) error {
	verdicts, err := o.cluster.Check(ctx, rpc.Of("port=8080", "prot=8081"))
	if err != nil {
		return err
	}
	for verdict, err := range verdicts {
		if err != nil {
			return err
		}
		o.print("  %s", verdict)
	}
	return nil
}

func (o *operator) restart(ctx context.Context) error {
	report, err := o.cluster.Restart(ctx, "web")
	if err != nil {
		return err
	}
	o.print("  %s", report)
	return nil
}

// logs breaks out of a stream without an end, and the iterator in the server
// returns.
func (o *operator) logs(ctx context.Context) error {
	n := 0
	for line, err := range o.cluster.Logs(ctx, "web") {
		if err != nil {
			return err
		}
		o.print("  %s", line)
		if n++; n == 3 {
			break
		}
	}
	return o.look(ctx)
}
