// Package sarif has the parts of SARIF 2.1.0 that code scanning services read
// and linters write.
package sarif

import "time"

// Log is a whole file.
type Log struct {
	Schema  string `json:"$schema"`
	Version string `json:"version"`
	Runs    []Run  `json:"runs"`
}

// Run is what one tool found.
type Run struct {
	Tool struct {
		Driver Driver `json:"driver"`
	} `json:"tool"`
	AutomationDetails struct {
		ID string `json:"id"`
	} `json:"automationDetails"`
	Invocations []Invocation `json:"invocations,omitempty"`
	Results     []Result     `json:"results"`
}

// Driver is the tool.
type Driver struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	URI     string `json:"informationUri"`
	Rules   []Rule `json:"rules"`
}

// Rule is what results refer to.
type Rule struct {
	ID    string  `json:"id"`
	Short Message `json:"shortDescription"`
}

// Invocation is how the tool ran. What kept it from its work is a notification,
// never a result.
type Invocation struct {
	Successful    bool           `json:"executionSuccessful"`
	Start         string         `json:"startTimeUtc,omitempty"`
	End           string         `json:"endTimeUtc,omitempty"`
	Notifications []Notification `json:"toolExecutionNotifications,omitempty"`
}

// Time is a time as SARIF writes it, "" for none.
func Time(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format("2006-01-02T15:04:05.000Z")
}

// Notification is a fault of the tool.
type Notification struct {
	Level   string  `json:"level"`
	Message Message `json:"message"`
}

// Result is one finding.
type Result struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        string            `json:"level"`
	Message      Message           `json:"message"`
	Locations    []Location        `json:"locations,omitempty"`
	Fingerprints map[string]string `json:"partialFingerprints,omitempty"`
}

// Message is a text.
type Message struct {
	Text string `json:"text"`
}

// Location is where a finding is.
type Location struct {
	Physical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region *Region `json:"region,omitempty"`
	} `json:"physicalLocation"`
}

// Region is the lines of it, from 1.
type Region struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
}
