// Package jobs is the dialogue between the interop runner and a client program: one JSON job a line in, one JSON answer a line out.
package jobs

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
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

// Serve answers jobs until standard input ends. codeOf finds Kafka's error code in a client's error.
func Serve(handlers map[string]func(Job) (any, error), codeOf func(error) (int16, bool)) {
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
