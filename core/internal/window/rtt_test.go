package window

import (
	"math"
	"testing"
	"time"
)

func TestRTTWithoutSample(t *testing.T) {
	var r RTT
	if r.Known() || r.Smoothed() != 50*ms || r.Variation() != 25*ms || r.Min() != 0 || r.Latest() != 0 {
		t.Errorf("%+v", r)
	}
	if got := r.PTO(0); got != 151*ms {
		t.Errorf("PTO %v", got)
	}
}

func TestRTTSamples(t *testing.T) {
	type sample struct{ latest, delay time.Duration }
	for _, tt := range []struct {
		name                       string
		samples                    []sample
		smoothed, variation, least time.Duration
	}{
		{"first", []sample{{80 * ms, 0}}, 80 * ms, 40 * ms, 80 * ms},
		{"the delay of the first does not count", []sample{{80 * ms, ms}}, 80 * ms, 40 * ms, 80 * ms},
		{"second", []sample{{80 * ms, 0}, {160 * ms, 0}}, 90 * ms, 50 * ms, 80 * ms},
		{"delay", []sample{{80 * ms, 0}, {161 * ms, ms}}, 90 * ms, 50 * ms, 80 * ms},
		{"no more delay than allowed", []sample{{80 * ms, 0}, {161 * ms, time.Hour}}, 90 * ms, 50 * ms, 80 * ms},
		{"negative delay", []sample{{80 * ms, 0}, {160 * ms, -time.Hour}}, 90 * ms, 50 * ms, 80 * ms},
		{"not below the minimum", []sample{{80 * ms, 0}, {80 * ms, ms}}, 80 * ms, 30 * ms, 80 * ms},
		{"the minimum is without delay", []sample{{80 * ms, 0}, {40 * ms, ms}}, 75 * ms, 40 * ms, 40 * ms},
		{"clock went backwards", []sample{{-ms, 0}}, 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r RTT
			for _, s := range tt.samples {
				r.Sample(s.latest, s.delay)
			}
			if r.Smoothed() != tt.smoothed || r.Variation() != tt.variation || r.Min() != tt.least {
				t.Errorf("smoothed %v, variation %v, min %v; want %v %v %v", r.Smoothed(), r.Variation(), r.Min(), tt.smoothed, tt.variation, tt.least)
			}
		})
	}
}

func TestPTO(t *testing.T) {
	for _, tt := range []struct {
		latest time.Duration
		count  int
		want   time.Duration
	}{
		{0, 0, 2 * ms},
		{0, 3, 16 * ms},
		{0, -1, 2 * ms},
		{10 * ms, 0, 31 * ms},
		{10 * ms, 2, 124 * ms},
		{10 * ms, 4, 400 * ms},
		{10 * ms, math.MaxInt, 400 * ms},
		{time.Hour, 0, 400 * ms},
		{math.MaxInt64 / 4, 20, 400 * ms},
	} {
		var r RTT
		r.Sample(tt.latest, 0)
		if got := r.PTO(tt.count); got != tt.want {
			t.Errorf("RTT %v, %d in a row: %v, want %v", tt.latest, tt.count, got, tt.want)
		}
	}
}
