package topic

import "fmt"

// A GapError is the error of a subscription whose next event is no longer stored, or that
// was of another epoch. It is never passed over in silence: the application sends its
// state anew, for example, and subscribes after Begin.
type GapError struct {
	After Seq `json:"after"` // what the subscription had come to
	Begin Seq `json:"begin"` // behind which nothing is missing
}

func (e *GapError) Error() string {
	return fmt.Sprintf("the events after %q are no longer stored: the topic begins after %q", e.After, e.Begin)
}

// A ConflictError is the error of PublishAfter where others have published meanwhile. The
// event is not stored.
type ConflictError struct {
	Last Seq `json:"last"` // of the last event of the topic; empty if there is none
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("the topic has another last event than expected: %q", e.Last)
}
