//! Lists: batches, holds, what expires soon, accounts; and what the file says of itself.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{CaughtUp, Look, PASSED_OVER, cursor, shapes};
use crate::engine::source::Links;
use crate::engine::{Books, Source, line_text, parse_body};
use crate::error::{Error, Result};
use crate::hash::{Hash, PublicKey};
use crate::model::{
    AccountId, AccountRow, AccountsOpen, BatchInfo, BatchNo, BatchRow, BatchState, Certificate, DeviceInfo,
    DevicePolicy, DeviceRow, Filter, FlagInfo, FlagRow, HoldInfo, HoldRow, HoldState, HubInfo, Key, Line, Overview,
    Page, PlanInfo, PlanRow, PlanState, Role, StagedInfo, StagedRow, device_tag, uuid_text,
};
use crate::pricing::PriceBook;
use crate::store;
use crate::units::{Instant, is_zero, utc};

/// How many stored rows are read at a time.
pub(super) const READ: usize = 256;

/// Collects one page out of rows in order, until it is full or has passed over a great many of them; the cursor is the last
/// row's key.
pub(super) fn collect<R, T, I: Iterator<Item = Result<R>>>(
    query: &Filter,
    most_passed_over: usize,
    rows: impl FnOnce(i64) -> I,
    key: impl Fn(&R) -> i64,
    mut show: impl FnMut(R) -> Result<Option<T>>,
) -> Result<Page<T>> {
    let mut after = cursor(query.after.as_deref())?;
    let (mut items, mut passed_over) = (Vec::new(), 0_usize);
    for row in rows(after) {
        let row = row?;
        if passed_over >= most_passed_over {
            return Ok(Page { items, next: Some(after.to_string()) });
        }
        // One more than asked for tells whether there is a next page.
        let place = key(&row);
        match show(row)? {
            Some(_) if items.len() == query.size() => return Ok(Page { items, next: Some(after.to_string()) }),
            Some(item) => items.push(item),
            None => passed_over = passed_over.saturating_add(1),
        }
        after = place;
    }
    Ok(Page { items, next: None })
}

impl Look<'_, '_> {
    /// What a wallet's page shows, all of this one look.
    pub(crate) fn overview(&self, id: &AccountId, mut query: Filter) -> Result<Overview> {
        query.newest_first = true;
        let Some(mut account) = self.account(id, None)? else {
            let balance = self.balance(id, None)?;
            let (batches, holds, plans, history) = Default::default();
            return Ok(Overview { balance, batches, holds, plans, history });
        };
        let (batches, holds) = (self.batches_of(&account, &query)?, self.holds_of(&account, &query)?);
        let (plans, history) = (self.plans_of(&account, &query)?, self.history_of(&account, None, &query)?);
        let (books, row, now) = &mut account;
        Ok(Overview { balance: self.present(books, id, row, *now)?, batches, holds, plans, history })
    }

    /// A list of what an account has; empty when there is no such account.
    pub(super) fn list_of<T>(
        &self,
        id: &AccountId,
        list: impl FnOnce(&CaughtUp<'_>) -> Result<Page<T>>,
    ) -> Result<Page<T>> {
        self.account(id, None)?.map_or_else(|| Ok(Page::default()), |account| list(&account))
    }

    /// An account's batches in order of creation.
    pub(crate) fn batches(&self, id: &AccountId, query: &Filter) -> Result<Page<BatchInfo>> {
        self.list_of(id, |account| self.batches_of(account, query))
    }

    pub(super) fn batches_of(&self, (books, account, now): &CaughtUp<'_>, query: &Filter) -> Result<Page<BatchInfo>> {
        collect(
            query,
            usize::MAX,
            |after| self.batch_rows(books, account, after),
            |row| row.no,
            |row| {
                let info = shapes::batch(self.writers, &account.id, &row, *now)?;
                let open = matches!(info.state, BatchState::Live | BatchState::Pending);
                Ok((query.all || open).then_some(info))
            },
        )
    }

    /// An account's holds in order of creation.
    pub(crate) fn holds(&self, id: &AccountId, query: &Filter) -> Result<Page<HoldInfo>> {
        self.list_of(id, |account| self.holds_of(account, query))
    }

    pub(super) fn holds_of(&self, (books, account, _): &CaughtUp<'_>, query: &Filter) -> Result<Page<HoldInfo>> {
        collect(
            query,
            usize::MAX,
            |after| self.hold_rows(books, account, after),
            |row| row.operation,
            |row| {
                if !query.all && row.phase != HoldState::Open {
                    return Ok(None);
                }
                let slices = self.source.allocations(row.operation)?.rows;
                shapes::hold(&self.source, self.writers, &account.id, &row, &slices).map(Some)
            },
        )
    }

    /// An account's plans in order of creation.
    pub(crate) fn plans(&self, id: &AccountId, query: &Filter) -> Result<Page<PlanInfo>> {
        self.list_of(id, |account| self.plans_of(account, query))
    }

    pub(super) fn plans_of(&self, (books, account, _): &CaughtUp<'_>, query: &Filter) -> Result<Page<PlanInfo>> {
        collect(
            query,
            usize::MAX,
            |after| {
                let read = |after, page| store::plans_of_account(self.session, account.no, after, page);
                store::pages(after, READ, read, |row: &PlanRow| row.operation)
            },
            |row| row.operation,
            |row| {
                let info = shapes::plan(self.writers, &account.id, books.held_plan(row.operation).unwrap_or(&row))?;
                Ok((query.all || info.state == PlanState::Active).then_some(info))
            },
        )
    }

    /// The batches of an account after one, caught up, by number: those that are stored, and those that time has made since.
    pub(super) fn batch_rows(
        &self,
        books: &Books<'_>,
        account: &AccountRow,
        after: BatchNo,
    ) -> impl Iterator<Item = Result<BatchRow>> {
        let no = account.no;
        let read = move |after, page| store::batches_of_account(self.session, no, after, page);
        let rows = store::pages(after, READ, read, |row: &BatchRow| row.no);
        let mut rows = rows.map(|row| row.map(|row| books.held_batch(row.no).cloned().unwrap_or(row))).peekable();
        let mut new: Vec<BatchRow> = books.new_batches(no).filter(|row| row.no > after).cloned().collect();
        new.sort_unstable_by_key(|row| Reverse(row.no));
        std::iter::from_fn(move || {
            let stored = match rows.peek() {
                Some(Ok(row)) => row.no,
                Some(Err(_)) => BatchNo::MIN,
                None => BatchNo::MAX,
            };
            new.pop_if(|row| row.no < stored).map(Ok).or_else(|| rows.next())
        })
    }

    /// The holds of an account after one, caught up, in order of creation.
    pub(super) fn hold_rows(
        &self,
        books: &Books<'_>,
        account: &AccountRow,
        after: i64,
    ) -> impl Iterator<Item = Result<HoldRow>> {
        let no = account.no;
        let read = move |after, page| store::holds_of_account(self.session, no, after, page);
        let rows = store::pages(after, READ, read, |row: &HoldRow| row.operation);
        rows.map(|row| row.map(|row| books.held_hold(row.operation).cloned().unwrap_or(row)))
    }

    /// Batches with points left that expire until `before`, soonest first.
    pub(crate) fn expiring(&self, before: Instant, account: Option<&AccountId>) -> Result<Vec<BatchInfo>> {
        let mut found: Vec<(Option<Instant>, BatchNo, BatchInfo)> = Vec::new();
        if let Some(id) = account {
            if let Some(account) = self.account(id, None)? {
                self.expiring_of(&account, before, &mut found)?;
            }
        } else {
            for row in store::accounts(self.session, 0, READ) {
                let row = row?;
                // An account in which nothing falls due until then has nothing that expires until then.
                if row.turns(&self.clock, self.time) || row.next_due_at.is_some_and(|due| due <= before) {
                    self.expiring_of(&self.caught_up(row, None)?, before, &mut found)?;
                }
            }
        }
        found.sort_by_key(|(at, no, _)| (*at, *no));
        Ok(found.into_iter().map(|(_, _, info)| info).collect())
    }

    pub(super) fn expiring_of(
        &self,
        (books, account, now): &CaughtUp<'_>,
        before: Instant,
        found: &mut Vec<(Option<Instant>, BatchNo, BatchInfo)>,
    ) -> Result<()> {
        let changed: BTreeMap<BatchNo, &BatchRow> = books.held_batches().map(|batch| (batch.no, batch)).collect();
        let mut limit = READ;
        let stored = loop {
            // Whatever expires until then is due (effective, or expiring) until then.
            let rows = self.source.due_batches(account.no, before, limit)?;
            if rows.len() < limit {
                break rows;
            }
            limit = limit.saturating_mul(4);
        };
        let unchanged = stored.iter().filter(|row| !changed.contains_key(&row.no));
        for row in unchanged.chain(changed.values().copied()) {
            if row.remaining > 0 && row.is_expired(before) {
                found.push((row.expires_at, row.no, shapes::batch(self.writers, &account.id, row, *now)?));
            }
        }
        Ok(())
    }

    /// The price book of the newest operation booked under one.
    pub(crate) fn newest_book(&self) -> Result<Option<PriceBook>> {
        match store::newest_price_book(self.session)? {
            Some(book) => self.source.price_book(book.no),
            None => Ok(None),
        }
    }

    /// The devices of a hub, in the order in which they were admitted.
    pub(crate) fn devices(&self, query: &Filter) -> Result<Page<DeviceInfo>> {
        let rows = |after| {
            store::pages(
                after,
                READ,
                |after, page| store::device_page(self.session, after, page),
                |row: &DeviceRow| row.no,
            )
        };
        collect(query, PASSED_OVER, rows, |row| row.no, |row| self.device_info(row).map(Some))
    }

    /// What devices did and this hub set aside, oldest first.
    pub(crate) fn staged(&self, query: &Filter) -> Result<Page<StagedInfo>> {
        let rows = |after| {
            let read = |after, page| store::staged_after(self.session, !query.all, after, page);
            store::pages(after, READ, read, |row: &StagedRow| row.operation)
        };
        collect(query, PASSED_OVER, rows, |row| row.operation, |row| self.staged_info(&row).map(Some))
    }

    fn staged_info(&self, row: &StagedRow) -> Result<StagedInfo> {
        let lost = || Error::corrupt(format!("operation {} set nothing aside", row.operation));
        let booked = self.source.operation_row(row.operation)?.ok_or_else(lost)?;
        let link = self.source.link(booked.origin.chain, booked.origin.seq)?.ok_or_else(lost)?;
        let text = line_text(&self.source, &link)?;
        let line = Line::stored(&text)?;
        let device = self.source.device_by_no(row.device)?.ok_or_else(lost)?;
        Ok(StagedInfo {
            link: self.writers.operation(row.operation),
            device: device.device,
            device_name: device.name,
            device_seq: line.seq,
            op: line.kind.to_string(),
            key: line.key,
            points: line.points,
            account: line.account,
            reason: row.reason,
            other: row.other.map(|other| self.writers.operation(other)),
            state: row.state,
            occurred_at: link.occurred.utc(),
            staged_at: booked.booked_at.utc(),
        })
    }

    /// What should be seen of what devices did, oldest first.
    pub(crate) fn flags(&self, query: &Filter) -> Result<Page<FlagInfo>> {
        // Of one operation there are few, each with a code of its own.
        const CODES: i64 = 32;
        let place = |row: &FlagRow| row.operation.saturating_mul(CODES).saturating_add(row.code.code());
        let rows = |after: i64| {
            let read = |after: i64, page| {
                let after = (after.div_euclid(CODES), after.rem_euclid(CODES));
                store::flag_page(self.session, !query.all, after, page)
            };
            store::pages(after, READ, read, place)
        };
        collect(query, PASSED_OVER, rows, place, |row| self.flag_info(&row).map(Some))
    }

    fn flag_info(&self, row: &FlagRow) -> Result<FlagInfo> {
        let lost = || Error::corrupt(format!("operation {} is flagged and not there", row.operation));
        let booked = self.source.operation_row(row.operation)?.ok_or_else(lost)?;
        let device = match booked.origin.chain {
            0 => {
                let named = parse_body(&booked)?.get("device").and_then(|id| Uuid::parse_str(id.as_str()?).ok());
                named.map(|id| self.source.device(device_tag(&id))).transpose()?.flatten()
            }
            chain => {
                let chain = self.source.chain(chain)?.ok_or_else(lost)?;
                self.source.device_by_no(chain.device)?
            }
        };
        let device = device.ok_or_else(lost)?;
        Ok(FlagInfo {
            flagged: self.writers.operation(row.operation),
            flag: row.code,
            points: row.points,
            account: booked.account.map(|(_, id)| id),
            device: device.device,
            device_name: device.name,
            booked_at: booked.booked_at.utc(),
            acknowledged_by: row.acknowledged_by.map(|by| self.writers.operation(by)),
        })
    }

    /// What the hub certifies of a device, with its own settings.
    pub(crate) fn certificate(&self, device: &Uuid) -> Result<Certificate> {
        let (settings, standing) = (&self.ledger.settings, &self.ledger.standing);
        let Some(hub_key) = standing.public_key.filter(|_| standing.role == Role::Hub) else {
            return Err(Error::RoleConflict {
                role: standing.role.as_str(),
                message: "this file is no hub, and certifies nothing".into(),
                help: "ask the hub for it".into(),
            });
        };
        let row = self.source.device(device_tag(device))?.filter(|row| row.device == *device);
        let row = row.ok_or_else(|| Error::UnknownDevice { device: device.to_string() })?;
        Ok(Certificate {
            device: row.device,
            public_key: row.public_key,
            name: row.name,
            hub: self.ledger.ledger_id,
            hub_key,
            policy: (*row.policy).clone(),
            accounts: settings.accounts_open(),
            late_window: settings.late_window,
            max_hold: settings.max_hold,
            max_clock_jump: settings.max_clock_jump,
        })
    }

    pub(crate) fn info(&self) -> Result<Info> {
        let (settings, standing) = (&self.ledger.settings, &self.ledger.standing);
        Ok(Info {
            ledger: self.ledger.ledger_id,
            device: self.ledger.writer.1.device,
            epoch: self.ledger.writer.1.epoch,
            created_at: self.ledger.created_at.utc(),
            operations: self.ledger.length,
            head: self.ledger.head,
            accepted_at: self.ledger.clock.accepted_at.utc(),
            clock_suspect: self.suspect,
            clock_behind: self.behind,
            settings: SettingsInfo {
                accounts: settings.accounts_open(),
                late_window: settings.late_window,
                max_hold: settings.max_hold,
                max_clock_jump: settings.max_clock_jump,
                clock_patience: settings.clock_patience,
                global_keys: standing.global_keys.as_deref().cloned().unwrap_or_default(),
            },
            role: standing.role,
            name: standing.name.clone(),
            public_key: standing.public_key,
            hub: standing.hub_ledger.zip(standing.hub_key).map(|(ledger, public_key)| HubInfo { ledger, public_key }),
            policy: standing.policy.as_deref().cloned(),
            price_book: store::newest_price_book(self.session)?.map(|book| book.hash),
            schema_version: crate::db::SCHEMA_VERSION,
        })
    }
}

/// What the file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Info {
    /// The ledger's id, made at creation.
    #[serde(with = "uuid_text")]
    pub ledger: Uuid,
    /// The device that writes it, made at creation.
    #[serde(with = "uuid_text")]
    pub device: Uuid,
    /// Renewed by every restore, and where somebody else writes in its name.
    pub epoch: i64,
    /// When it was created.
    #[serde(with = "utc")]
    pub created_at: DateTime<Utc>,
    /// How many operations are booked.
    pub operations: i64,
    /// Hash of the newest operation: note it elsewhere, and a cut or exchanged file is found out.
    pub head: Hash,
    /// The newest accepted clock reading.
    #[serde(with = "utc")]
    pub accepted_at: DateTime<Utc>,
    /// Whether the present clock reading is not believed.
    pub clock_suspect: bool,
    /// Seconds the clock reading is behind the newest accepted one, if that is more than a minute.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clock_behind: i64,
    /// The settings that decide outcomes.
    pub settings: SettingsInfo,
    /// What it is to other files.
    #[serde(default)]
    pub role: Role,
    /// What people call it, once it is a hub or a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it signs by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PublicKey>,
    /// Of a device: its hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubInfo>,
    /// Of a device: what it may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<DevicePolicy>,
    /// Hash of the price book of the newest operation booked under one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_book: Option<Hash>,
    /// Version of the file's schema.
    pub schema_version: i64,
}

/// The settings kept in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SettingsInfo {
    /// When accounts are opened.
    pub accounts: AccountsOpen,
    /// Seconds a late consume may reach back.
    pub late_window: i64,
    /// Seconds a hold may last.
    pub max_hold: i64,
    /// Seconds the clock may jump before it is suspect.
    pub max_clock_jump: i64,
    /// Seconds suspect clock readings go on until one is accepted by itself.
    pub clock_patience: i64,
    /// Of a hub: what begins the keys of consumes that are one sale, at whichever device they were made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub global_keys: Vec<Key>,
}
