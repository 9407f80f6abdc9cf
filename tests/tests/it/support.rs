//! A subject over the recordings or over the simulator.

use std::sync::Arc;

use operator_core::{Clock, Part, Scope};
use operator_tests::{ReplayTransport, SimulatedTransport};
use operator_tikv::http::{Endpoint, Transport};
use operator_tikv::{TikvConfig, TikvSubject};
use tikv_simulator::{Config, Scenario, Simulator};

/// The subject whose PDs are `endpoints`.
pub(crate) fn subject_over(transport: impl Transport, endpoints: &str) -> TikvSubject {
    let config = TikvConfig::new(Endpoint::list(endpoints).unwrap());
    TikvSubject::with_transport(config, Arc::new(transport)).unwrap()
}

/// A simulated cluster in tokio's time, which must be paused, and the subject over it.
pub(crate) struct Simulated {
    pub(crate) transport: SimulatedTransport,
    pub(crate) subject: TikvSubject,
    clock: Clock,
}

impl Simulated {
    /// A cluster as `config` has it, at its start.
    pub(crate) fn new(config: Config) -> Self {
        let transport = SimulatedTransport::new(Simulator::new(config));
        let subject = subject_over(transport.clone(), "pd0:2379,pd1:2379,pd2:2379");
        let clock = Clock::tokio(transport.with(|simulator| simulator.now()));
        Self { transport, subject: subject.with_clock(clock.clone()), clock }
    }

    /// A cluster at the moment at which the scenario shows its point.
    pub(crate) async fn showing(scenario: Scenario) -> Self {
        let simulated = Self::new(Config::new(scenario));
        simulated.transport.pass(scenario.shows_after()).await;
        simulated
    }

    /// Everything but what takes a page of every store, in the simulator's time.
    pub(crate) fn scope_of_pd(&self) -> Scope {
        scope_of_pd().clock(self.clock.clone())
    }

    /// Everything, in the simulator's time.
    pub(crate) fn scope(&self) -> Scope {
        Scope::all().clock(self.clock.clone())
    }
}

/// Everything that PD tells, without the stores' own pages, which were not recorded in every state.
pub(crate) fn scope_of_pd() -> Scope {
    Scope::of(Part::ALL.into_iter().filter(|part| *part != Part::Metrics))
}

/// The subject over a recorded state without sockets.
pub(crate) fn recorded(state: &str) -> (ReplayTransport, TikvSubject) {
    let transport = ReplayTransport::new(operator_tests::Recording::load(state).unwrap());
    let endpoints = transport.recording().pd_endpoints().join(",");
    let clock = Clock::manual(transport.recording().recorded_at());
    let subject = subject_over(transport.clone(), &endpoints).with_clock(clock);
    (transport, subject)
}
