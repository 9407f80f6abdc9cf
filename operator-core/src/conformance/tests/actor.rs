//! The in-memory actor keeps to every rule; one that lies breaks the rule that the lie is about.

use async_trait::async_trait;

use super::*;

/// What a [`Liar`] does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Lie {
    Nothing,
    DeclaresOtherwise,
    DoesMore,
    DoesLess,
    NamesAnother,
    ActsOnNothing,
    Changes,
}

#[derive(Debug)]
struct Liar {
    inner: InMemorySubject,
    lie: Lie,
}

impl Liar {
    fn new(lie: Lie) -> Self {
        let mut declared = Action::infos().to_vec();
        declared.retain(|info| info.name != "remove_store");
        if lie == Lie::DeclaresOtherwise {
            declared[0].description.clear();
        }
        let stores = (1..=3).map(|id| Store::new(id.into(), format!("tikv{id}:20160"), StoreState::Up));
        let mut one = Region::new(1.into(), KeyRange::all(), Epoch::default());
        one.peers = vec![peer(11, 1), peer(12, 2)];
        let inner = InMemorySubject::new("liar")
            .with_stores(stores)
            .with_regions([one])
            .with_members([Member::new("pd0", 1.into())])
            .with_actions(declared);
        Self { inner, lie }
    }
}

#[async_trait]
impl Subject for Liar {
    fn config(&self) -> &SubjectConfig {
        self.inner.config()
    }

    async fn stores(&self) -> Result<Vec<Store>> {
        self.inner.stores().await
    }

    async fn members(&self) -> Result<Vec<Member>> {
        self.inner.members().await
    }

    async fn region(&self, id: RegionId) -> Result<Region> {
        self.inner.region(id).await
    }

    fn regions(&self, query: RegionQuery) -> futures::stream::BoxStream<'_, Result<RegionPage>> {
        self.inner.regions(query)
    }
}

#[async_trait]
impl Actor for Liar {
    async fn preview(&self, action: &Action) -> Result<Preview> {
        let removes = action.name() == "remove_store";
        match self.lie {
            Lie::DoesMore if removes => {
                let at = DateTime::UNIX_EPOCH;
                return Ok(Preview::new("liar", at, action.clone(), "Removes it."));
            }
            Lie::DoesLess if action.name() == "drain_store" => return Err(Error::unsupported("drain_store")),
            Lie::Changes => {
                let now = self.inner.arrived().len() + self.inner.in_effect().len();
                self.inner.set_basis("previews", now);
                let preview = self.inner.preview(action).await?;
                self.inner.send(&preview).await;
                return Ok(preview);
            }
            _ => {}
        }
        let mut preview = self.inner.preview(action).await?;
        match self.lie {
            Lie::NamesAnother => preview.subject = "another".to_owned(),
            Lie::ActsOnNothing => preview.preconditions.clear(),
            _ => {}
        }
        Ok(preview)
    }

    async fn send(&self, preview: &Preview) -> Sent {
        panic!("the suite sent {preview:?}");
    }

    async fn progress(&self, preview: &Preview) -> Result<Progress> {
        self.inner.progress(preview).await
    }
}

#[tokio::test(start_paused = true)]
async fn each_lie_of_an_actor_breaks_its_rule_and_no_other() {
    for (lie, rule) in [
        (Lie::Nothing, None),
        (Lie::DeclaresOtherwise, Some("declared_actions_are_known")),
        (Lie::DoesMore, Some("undeclared_actions_are_unsupported")),
        (Lie::DoesLess, Some("declared_actions_preview")),
        (Lie::NamesAnother, Some("declared_actions_preview")),
        (Lie::ActsOnNothing, Some("what_does_not_exist_is_not_acted_on")),
        (Lie::Changes, Some("previews_change_nothing")),
    ] {
        let report = check_actor(&Liar::new(lie), DEADLINE).await;
        let broken: BTreeSet<_> = report.failures.iter().map(|remark| remark.rule).collect();
        assert_eq!(broken, rule.into_iter().collect(), "{lie:?}: {report}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_declares_nothing_is_asked_nothing() {
    let report = check_actor(&InMemorySubject::new("bare"), DEADLINE).await;
    report.assert_passed();
    assert!(report.skipped.iter().any(|remark| remark.rule == "declared_actions_preview"), "{report}");
    let all = InMemorySubject::new("all").with_actions(Action::infos().to_vec());
    let report = check_actor(&all, DEADLINE).await;
    report.assert_passed();
    assert!(all.arrived().is_empty());
}
