package api

import "context"

// Values has the methods that carry a type which has changed, to the service and from it.
//
//wirecall:service
type Values interface {
	TypeChangedIn(ctx context.Context, v bool) error
	TypeChangedOut(ctx context.Context) (bool, error)
	TypeNarrowedIn(ctx context.Context, v string) error
	TypeNarrowedOut(ctx context.Context) (string, error)
	TypeWidenedIn(ctx context.Context, v any) error
	TypeWidenedOut(ctx context.Context) (any, error)
	NumberNarrowedIn(ctx context.Context, v int32) error
	NumberNarrowedOut(ctx context.Context) (int32, error)
	NumberWidenedIn(ctx context.Context, v int64) error
	NumberWidenedOut(ctx context.Context) (int64, error)
	NumberInStringIn(ctx context.Context, v struct{ N int64 }) error
	NumberInStringOut(ctx context.Context) (struct{ N int64 }, error)
	ArrayLengthIn(ctx context.Context, v [3]int) error
	ArrayLengthOut(ctx context.Context) ([3]int, error)
	MapKeyNarrowedIn(ctx context.Context, v map[int]string) error
	MapKeyNarrowedOut(ctx context.Context) (map[int]string, error)
	MapNumberNarrowedIn(ctx context.Context, v map[uint64]string) error
	MapNumberNarrowedOut(ctx context.Context) (map[int32]string, error)
	MapNumberWidenedIn(ctx context.Context, v map[int64]string) error
	MapNumberWidenedOut(ctx context.Context) (map[int64]string, error)
	MapKeyWidenedIn(ctx context.Context, v map[string]string) error
	MapKeyWidenedOut(ctx context.Context) (map[string]string, error)
	FieldRemovedIn(ctx context.Context, v struct{ A string }) error
	FieldRemovedOut(ctx context.Context) (struct{ A string }, error)
	FieldCaseIn(ctx context.Context, v struct {
		UserID string `json:"userId"`
	}) error
	FieldCaseOut(ctx context.Context) (struct {
		UserID string `json:"userId"`
	}, error)
	FieldAddedIn(ctx context.Context, v struct{ A, B string }) error
	FieldAddedOut(ctx context.Context) (struct{ A, B string }, error)
	OmitAddedIn(ctx context.Context, v struct {
		A string `json:",omitempty"`
	}) error
	OmitAddedOut(ctx context.Context) (struct {
		A string `json:",omitempty"`
	}, error)
	OmitRemovedIn(ctx context.Context, v struct{ A string }) error
	OmitRemovedOut(ctx context.Context) (struct{ A string }, error)
	NullAddedIn(ctx context.Context, v *string) error
	NullAddedOut(ctx context.Context) (*string, error)
	NullRemovedIn(ctx context.Context, v string) error
	NullRemovedOut(ctx context.Context) (string, error)
	ValueRemovedIn(ctx context.Context, v ValueRemovedInKind) error
	ValueRemovedOut(ctx context.Context) (ValueRemovedOutKind, error)
	ValueAddedIn(ctx context.Context, v ValueAddedInKind) error
	ValueAddedOut(ctx context.Context) (ValueAddedOutKind, error)
	ValueChangedIn(ctx context.Context, v ValueChangedInKind) error
	ValueChangedOut(ctx context.Context) (ValueChangedOutKind, error)
	Loop(ctx context.Context, n Node) (Node, error)
}

type Node struct {
	Next *Node
	Name string
}

type ValueRemovedInKind string

const (
	ValueRemovedInGreen ValueRemovedInKind = "green"
)

type ValueRemovedOutKind string

const (
	ValueRemovedOutGreen ValueRemovedOutKind = "green"
)

type ValueAddedInKind string

const (
	ValueAddedInGreen  ValueAddedInKind = "green"
	ValueAddedInYellow ValueAddedInKind = "yellow"
)

type ValueAddedOutKind string

const (
	ValueAddedOutGreen  ValueAddedOutKind = "green"
	ValueAddedOutYellow ValueAddedOutKind = "yellow"
)

type ValueChangedInKind string

const (
	ValueChangedInRed ValueChangedInKind = "crimson"
)

type ValueChangedOutKind string

const (
	ValueChangedOutRed ValueChangedOutKind = "crimson"
)
