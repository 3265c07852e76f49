// SPDX-License-Identifier: GPL-2.0-or-later

// A server like places.c, in Go: a goroutine for each connection, on the threads that the run-time
// gives them, two at a time. Requests are lines of steps, `cpu 3ms;sleep 5ms;lock 1ms`. A reply
// says, in nanoseconds, what is known of the goroutine: CPU time by the clock of the thread that it
// is on, the time around what it sleeps in, and as `wait` what else it did not run, for want of a
// thread or of a CPU. What only a thread can know is 0. Says "ready PORT" once it listens.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const clockThreadCPU = 3

type parts struct {
	cpu, sleep time.Duration
}

func die(what string, err error) {
	fmt.Fprintf(os.Stderr, "goroutines: %s: %v\n", what, err)
	os.Exit(1)
}

// A thread, and the CPU time that it has had.
func threadCPU() (uintptr, time.Duration) {
	var t syscall.Timespec

	tid, _, _ := syscall.RawSyscall(syscall.SYS_GETTID, 0, 0, 0)
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPU, uintptr(unsafe.Pointer(&t)), 0)
	return tid, time.Duration(t.Nano())
}

// Spends CPU time. Where the goroutine was moved to another thread between two looks, or in the
// middle of one, that bit is not counted, so it spends a little more.
func (p *parts) spend(most time.Duration) {
	var spent time.Duration

	tid, last := threadCPU()
	for spent < most {
		now, cpu := threadCPU()
		if now == tid && cpu > last && cpu-last < time.Millisecond {
			spent += cpu - last
		}
		tid, last = now, cpu
	}
	p.cpu += spent
}

// Waits until another goroutine lets go.
func wait(d time.Duration) {
	free := make(chan struct{})

	go func() {
		time.Sleep(d)
		close(free)
	}()
	<-free
}

func (p *parts) run(step string) {
	words := strings.Fields(step)
	if len(words) != 2 {
		die(step, fmt.Errorf("not STEP TIME"))
	}
	d, err := time.ParseDuration(words[1])
	if err != nil {
		die(step, err)
	}
	begin := time.Now()
	switch words[0] {
	case "cpu":
		p.spend(d)
	case "sleep":
		time.Sleep(d)
		p.sleep += time.Since(begin)
	case "lock":
		wait(d)
		p.sleep += time.Since(begin)
	default:
		die(step, fmt.Errorf("no such step"))
	}
}

func serve(c net.Conn) {
	defer c.Close()
	requests := bufio.NewReader(c)
	for {
		line, err := requests.ReadString('\n')
		if err != nil {
			return
		}
		var p parts
		begin := time.Now()
		for _, step := range strings.Split(line, ";") {
			p.run(step)
		}
		wait := time.Since(begin) - p.cpu - p.sleep
		fmt.Fprintf(c, "late=0 again=0 read=0 cpu=%d runqueue=0 sleep=%d io=0 call=0 wait=%d\n",
			p.cpu.Nanoseconds(), p.sleep.Nanoseconds(), wait.Nanoseconds())
	}
}

func main() {
	runtime.GOMAXPROCS(2)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		die("listen", err)
	}
	fmt.Printf("ready %d\n", listener.Addr().(*net.TCPAddr).Port)
	for {
		c, err := listener.Accept()
		if err != nil {
			die("accept", err)
		}
		go serve(c)
	}
}
