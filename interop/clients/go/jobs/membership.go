package jobs

import (
	"slices"
	"sync"
)

// Membership is what one group member was given and read, gathered in the background and reported by polls.
type Membership struct {
	mutex      sync.Mutex
	assigned   []int32
	rebalances int
	revoked    int
	positions  map[int32]int64
	unreported [][3]any
}

// Polled is the answer to a poll.
type Polled struct {
	Assigned   []int32  `json:"assigned"`
	Rebalances *int     `json:"rebalances"` // null: the client does not say
	Revoked    *int     `json:"revoked"`    // null: the client does not say
	Records    [][3]any `json:"records"`
}

// Read notes a record.
func (m *Membership) Read(partition int32, offset int64, value []byte) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.positions == nil {
		m.positions = map[int32]int64{}
	}
	m.positions[partition] = offset + 1
	m.unreported = append(m.unreported, [3]any{partition, offset, string(value)})
}

// Assign notes a rebalance that gave these partitions besides the ones kept.
func (m *Membership) Assign(partitions []int32) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.rebalances++
	m.assigned = append(m.assigned, partitions...)
}

// Revoke notes that these partitions were taken away.
func (m *Membership) Revoke(partitions []int32) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.revoked += len(partitions)
	m.assigned = slices.DeleteFunc(m.assigned, func(one int32) bool { return slices.Contains(partitions, one) })
	for _, partition := range partitions {
		delete(m.positions, partition)
	}
}

// Positions are the offsets after the last record of each partition held now.
func (m *Membership) Positions() map[int32]int64 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	copied := map[int32]int64{}
	for partition, offset := range m.positions {
		copied[partition] = offset
	}
	return copied
}

// Report takes what was read since the last report.
func (m *Membership) Report() Polled {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	rebalances, revoked := m.rebalances, m.revoked
	polled := Polled{Assigned: append([]int32{}, m.assigned...), Rebalances: &rebalances, Revoked: &revoked, Records: m.unreported}
	if polled.Records == nil {
		polled.Records = [][3]any{}
	}
	m.unreported = nil
	return polled
}
