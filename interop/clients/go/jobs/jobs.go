// Package jobs is the dialogue between the interop runner and a client program: one JSON job a line in, one JSON answer a line out.
package jobs

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"time"
)

// Bytes is base64 on the wire; nil is null.
type Bytes []byte

func (b Bytes) MarshalJSON() ([]byte, error) {
	if b == nil {
		return []byte("null"), nil
	}
	return json.Marshal(base64.StdEncoding.EncodeToString(b))
}

func (b *Bytes) UnmarshalJSON(text []byte) error {
	var encoded *string
	if err := json.Unmarshal(text, &encoded); err != nil {
		return err
	}
	if encoded == nil {
		*b = nil
		return nil
	}
	decoded, err := base64.StdEncoding.DecodeString(*encoded)
	if err != nil {
		return err
	}
	*b = append(Bytes{}, decoded...)
	return nil
}

type Header struct {
	Name  string `json:"name"`
	Value Bytes  `json:"value"`
}

type Record struct {
	Offset    int64    `json:"offset"`
	Timestamp int64    `json:"timestamp"` // ms since 1970
	Key       Bytes    `json:"key"`
	Value     Bytes    `json:"value"`
	Headers   []Header `json:"headers"`
}

// Job carries the fields of every operation; each reads its own.
type Job struct {
	Op         string            `json:"op"`
	Topic      string            `json:"topic"`
	Partition  int32             `json:"partition"`
	Codec      string            `json:"codec"`
	Mode       string            `json:"mode"`
	Records    []Record          `json:"records"`
	Offset     int64             `json:"offset"` // -2 earliest, -1 latest
	Count      int               `json:"count"`
	TimeoutMs  int               `json:"timeoutMs"`
	Partitions int32             `json:"partitions"`
	Set        map[string]string `json:"set"`
	Remove     []string          `json:"remove"`
	At         int64             `json:"at"` // -2 earliest, -1 latest, -3 max timestamp, else ms

	// Groups.
	Group            string  `json:"group"`
	Protocol         string  `json:"protocol"`
	Assignor         string  `json:"assignor"`
	InstanceID       *string `json:"instanceId"`
	SessionTimeoutMs int     `json:"sessionTimeoutMs"`
	AutoCommit       bool    `json:"autoCommit"`
	Style            string  `json:"style"`
	Metadata         string  `json:"metadata"`

	// Transactions.
	Name            string `json:"name"`
	TransactionalID string `json:"transactionalId"`
	Pairs           []Pair `json:"pairs"`
	Commit          bool   `json:"commit"`
	From            string `json:"from"`
	To              string `json:"to"`
	Batch           int    `json:"batch"`
	AbortEvery      int    `json:"abortEvery"`
	IdleMs          int    `json:"idleMs"`
	PatienceMs      int    `json:"patienceMs"`
}

// Pair is a partition and a value, [0,"value"] on the wire.
type Pair struct {
	Partition int32
	Value     string
}

func (p *Pair) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&p.Partition, &p.Value})
}

// Copied counts the transactions of a consume-transform-produce loop.
type Copied struct {
	Committed int `json:"committed"`
	Aborted   int `json:"aborted"`
}

// Patience is when a copier that has seen no record yet begins to count itself idle.
func (j Job) Patience() time.Time {
	return time.Now().Add(time.Duration(j.PatienceMs) * time.Millisecond)
}

// Aborts tells whether the next transaction is one that the job wants aborted.
func (c Copied) Aborts(job Job) bool {
	return job.AbortEvery > 0 && (c.Committed+c.Aborted)%job.AbortEvery == job.AbortEvery-1
}

// Failure is an answer with Kafka's error code.
type Failure struct {
	Code int16
	Text string
}

func (f *Failure) Error() string { return f.Text }

type answer struct {
	OK     bool   `json:"ok"`
	Result any    `json:"result,omitempty"`
	Error  string `json:"error,omitempty"`
	Code   *int16 `json:"code,omitempty"`
}

// Handlers answer the operations under their names.
type Handlers = map[string]func(Job) (any, error)

// Serve answers jobs until standard input ends. codeOf finds Kafka's error code in a client's error.
func Serve(codeOf func(error) (int16, bool), all ...Handlers) {
	handlers := Handlers{}
	for _, some := range all {
		maps.Copy(handlers, some)
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var job Job
		if err := json.Unmarshal(line, &job); err != nil {
			_ = out.Encode(answer{Error: "bad job: " + err.Error()})
			continue
		}
		handler, known := handlers[job.Op]
		if !known {
			_ = out.Encode(answer{Error: fmt.Sprintf("operation %q is not in this program", job.Op)})
			continue
		}
		result, err := handler(job)
		if err != nil {
			failed := answer{Error: err.Error()}
			if code, found := codeOf(err); found {
				failed.Code = &code
			}
			_ = out.Encode(failed)
			continue
		}
		_ = out.Encode(answer{OK: true, Result: result})
	}
}

type Offsets struct {
	Offsets []int64 `json:"offsets"`
}

type Records struct {
	Records []Record `json:"records"`
}
