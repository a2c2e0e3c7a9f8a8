package main

import (
	"fmt"
	"io"
	"time"
)
type report struct{ w io.Writer; md bool; plan Plan; samples Samples }
func (r *report) print(time.Duration) { for _, s := range r.samples { fmt.Fprintf(r.w, "%+v\n", s) } }
func plot(string, Plan, Samples) error { return nil }
