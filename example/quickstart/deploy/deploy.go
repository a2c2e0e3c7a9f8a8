// Package deploy is what an operator and a cluster can ask of each other: an
// interface for each direction, with every shape that a method can have.
package deploy

import (
	"context"
	"fmt"
	"iter"
)

//go:generate go tool wirecall gen

// Cluster is what operators ask of a cluster.
//
//wirecall:service
//wirecall:option role=viewer
type Cluster interface {
	// Status returns what runs of a service. For one that is not deployed the
	// error is an *UnknownService.
	//
	//wirecall:error UnknownService 404
	Status(ctx context.Context, service string) (Status, error)

	// Heartbeat says that an instance is alive. Nobody answers.
	//
	//wirecall:notify
	Heartbeat(ctx context.Context, instance int) error

	// Deploy replaces what runs of a service by a version, and streams its steps.
	Deploy(ctx context.Context, service, version string) (iter.Seq2[Step, error], error)

	// Instances returns how many instances run of each service, and a stream of
	// what changes.
	Instances(ctx context.Context) (now map[string]int, changes iter.Seq2[Change, error], err error)

	// Start starts as many instances as it is sent orders for, and returns how
	// many those were together.
	Start(ctx context.Context, orders iter.Seq2[Order, error]) (started int, err error)

	// Check checks the lines of a configuration, each as it comes.
	Check(ctx context.Context, lines iter.Seq2[string, error]) (iter.Seq2[string, error], error)

	// Restart asks the operator how, and then restarts a service.
	//
	//wirecall:option role=admin
	Restart(ctx context.Context, service string) (report string, err error)

	// Logs streams what a service logs, for as long as someone reads it.
	Logs(ctx context.Context, service string) iter.Seq2[string, error]
}

// Operator is what the cluster asks of an operator.
//
//wirecall:service
type Operator interface {
	// Choose picks one of the options.
	Choose(ctx context.Context, question string, options []string) (string, error)
}

// A Status is what runs of a service.
type Status struct {
	Service   string `json:"service"`
	Version   string `json:"version"`
	Instances int    `json:"instances"`
}

// A Step is a part of a deployment that is done.
type Step struct {
	Action  string `json:"action"`
	Version string `json:"version"`
}

// An Order asks for further instances of a service.
type Order struct {
	Service   string `json:"service"`
	Instances int    `json:"instances"`
}

// A Change says how many instances run of a service now.
type Change struct {
	Service   string `json:"service"`
	Instances int    `json:"instances"`
}

// UnknownService is the error for a service that is not deployed.
type UnknownService struct {
	Service string `json:"service"`
	Similar string `json:"similar"`
}

// Error says which service is not deployed.
func (e *UnknownService) Error() string { return fmt.Sprintf("%s is not deployed", e.Service) }
