// Package pb is the work as protobuf has it, for the peers that speak it.
package pb

//go:generate ./gen.sh
