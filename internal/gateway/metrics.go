package gateway

import "github.com/prometheus/client_golang/prometheus"

// metrics have no tenant's names as labels: the endpoint may be read by others.
type metrics struct {
	streams  prometheus.Gauge
	reports  *prometheus.CounterVec
	refusals *prometheus.CounterVec
	content  prometheus.Counter
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "muster_gateway_streams", Help: "Agents that listen to their assignment on this replica.",
		}),
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_gateway_reports_total", Help: "Reports by what became of them: written, unchanged, old, failed.",
		}, []string{"result"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_gateway_refusals_total", Help: "Refused requests by code.",
		}, []string{"code"}),
		content: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_gateway_content_bytes_total", Help: "Bytes of content served, before compression.",
		}),
	}
	if registry != nil {
		registry.MustRegister(m.streams, m.reports, m.refusals, m.content)
	}
	return m
}

func (m *metrics) refused(code string)  { m.refusals.WithLabelValues(code).Inc() }
func (m *metrics) reported(what string) { m.reports.WithLabelValues(what).Inc() }
