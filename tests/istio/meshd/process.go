package main

import (
	"fmt"
	"os"
)

// process stands for the test that the control plane in memory is usually part of: a failure ends the process.
type process struct{ cleanups []func() }

func (p *process) Cleanup(step func()) { p.cleanups = append(p.cleanups, step) }

func (p *process) cleanUp() {
	for index := len(p.cleanups) - 1; index >= 0; index-- {
		p.cleanups[index]()
	}
}

func (p *process) Fatal(args ...any) {
	fmt.Fprintln(os.Stderr, append([]any{"meshd:"}, args...)...)
	os.Exit(2)
}

func (p *process) Fatalf(format string, args ...any) { p.Fatal(fmt.Sprintf(format, args...)) }
func (p *process) Fail()                             { p.Fatal("failed") }
func (p *process) FailNow()                          { p.Fatal("failed") }
func (p *process) Log(args ...any)                   { fmt.Println(args...) }
func (p *process) Logf(format string, args ...any)   { fmt.Printf(format+"\n", args...) }
func (p *process) Helper()                           {}
func (p *process) Skip(args ...any)                  { p.Fatal(append([]any{"skipped:"}, args...)...) }

func (p *process) TempDir() string {
	directory, err := os.MkdirTemp("", "meshd-")
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = os.RemoveAll(directory) })
	return directory
}
