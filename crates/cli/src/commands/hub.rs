//! Hubs and devices: a device asks, its hub admits it, it joins. Each step is a file that anybody may carry.

use std::path::Path;

use counterfoil::exchange::{
    Admit, Ask, BecomeHub, Cert, Certificate, DeviceInfo, DevicePolicy, Enrol, Expel, Header, Link, Role, Signer,
    inspect, open_file, write_file,
};
use counterfoil::report::Info;
use counterfoil::{Error, Key, Ledger, Metadata, Query, Question, Request};
use serde_json::Value;

use super::{Session, arrivals, evidence, text_variable};
use crate::args::{AdmitArgs, AskArgs, DeviceCommand, ExpelArgs, HubCommand, HubInitArgs, JoinArgs, RenewFileArgs};
use crate::confirm;
use crate::exit::{Failure, Outcome};

pub(super) fn run_hub(session: &mut Session, command: &HubCommand) -> Result<Outcome, Failure> {
    match command {
        HubCommand::Init(args) => init(session, args),
        HubCommand::Admit(args) => admit(session, args),
        HubCommand::Expel(args) => expel(session, args),
        HubCommand::Evidence(args) => evidence::read(session, args),
        HubCommand::Devices(paging) => {
            let ledger = session.look()?;
            if !session.out.pages(&ledger, paging, &Question::new("devices"), std::convert::identity::<DeviceInfo>)? {
                arrivals::note_nothing(session, &ledger, "no devices")?;
            }
            Ok(Outcome::Done)
        }
    }
}

pub(super) fn run_device(session: &mut Session, command: &DeviceCommand) -> Result<Outcome, Failure> {
    match command {
        DeviceCommand::Ask(args) => ask(session, args),
        DeviceCommand::Join(args) => join(session, args),
        DeviceCommand::Evidence(args) => evidence::write(session, args),
        DeviceCommand::RenewFile(args) => renew_file(session, args),
        DeviceCommand::Info => {
            let ledger = session.look()?;
            session.tell::<Info>(&ledger, &Question::new("info"))?;
            Ok(Outcome::Done)
        }
    }
}

/// The key beside the ledger, made when there is none.
fn signer(ledger: &Ledger) -> Result<Signer, Error> {
    match ledger.new_signer() {
        Err(Error::LedgerExists { .. }) => ledger.signer(),
        made => made,
    }
}

/// Books what is done to the file, and shows it.
pub(super) fn book(session: &mut Session, ledger: &Ledger, request: Request) -> Result<(), Failure> {
    let request = request.with("actor", text_variable("COUNTERFOIL_ACTOR")?.map(Value::from));
    let receipt = ledger.apply(&request)?;
    session.out.one(&receipt)
}

fn init(session: &mut Session, args: &HubInitArgs) -> Result<Outcome, Failure> {
    let ledger = session.change()?;
    // Nothing is left beside a file that cannot become one.
    let info = ledger.info()?;
    if info.role == Role::Device {
        return Err(wrong_role(&info, "is a device already", "make a new file the hub").into());
    }
    // One that is a hub has its key: none is made in its place.
    let key = if info.role == Role::Hub { ledger.signer()? } else { signer(&ledger)? }.key().public();
    book(session, &ledger, BecomeHub::new(key, args.name.as_str()).on_file(&Key::new("hub init")?))?;
    session.notes.note(&format!("the hub's fingerprint is {}: devices that join are shown it", key.id()));
    Ok(Outcome::Done)
}

fn wrong_role(info: &Info, what: &str, help: &str) -> Error {
    Error::RoleConflict { role: info.role.as_str(), message: format!("this file {what}"), help: help.into() }
}

fn other_file(path: &Path, wanted: &str) -> Error {
    let message = format!("{} is another kind of exchange file", path.display());
    Error::InvalidArgument { field: "file".into(), message, help: format!("give {wanted}") }
}

/// Before anything is booked: whether there is where to write.
pub(super) fn must_be_folder(out: &Path) -> Result<(), Error> {
    if out.is_dir() {
        return Ok(());
    }
    let message = format!("there is no folder {}", out.display());
    Err(Error::InvalidArgument { field: "out".into(), message, help: "make the folder, or name another".into() })
}

fn admit(session: &mut Session, args: &AdmitArgs) -> Result<Outcome, Failure> {
    must_be_folder(&args.out)?;
    let ledger = session.change()?;
    let file = inspect(open_file(&args.ask)?)?;
    let Header::Ask(asked) = &file.header else {
        return Err(other_file(&args.ask, "the file that `device ask` wrote").into());
    };
    // It has the key it names.
    file.signed_by(&asked.public_key)?;
    let signer = own_signer(&ledger)?;
    let known = if args.renew { all_devices(&ledger)? } else { Vec::new() };
    let before = known.into_iter().find(|known| known.device == asked.device);
    let (name, policy) =
        before.map_or_else(|| (asked.name.clone(), DevicePolicy::default()), |it| (it.name, it.policy));
    let request = Admit::new(asked.device, asked.public_key, name.as_str(), &policy).on_file(&Key::random());
    let request = request.with("name", Some(name).filter(|name| !name.is_empty()).map(Value::from));
    let given = args.given().into_iter().filter_map(|(field, value)| value.map(|value| (field, value)));
    let request = given.fold(request, |request, (field, value)| request.with(field, value));
    book(session, &ledger, request.with("renew", args.renew.then_some(true)))?;
    let certificate = ledger.certificate(&asked.device)?;
    let text = serde_json::to_string(&certificate).map_err(|error| Error::Storage { message: error.to_string() })?;
    let (hub, now) = (certificate.hub, ledger.clock()?.reading);
    let header = Cert::new(hub, certificate.hub_key, asked.device, Metadata::parse(&text)?, now);
    let path = write_file(&args.out, Header::Cert(Box::new(header)), false, signer.key(), |_| Ok(()))?;
    session.notes.note(&format!("wrote {}: bring it to the device, for `device join`", path.display()));
    Ok(Outcome::Done)
}

fn all_devices(ledger: &Ledger) -> Result<Vec<DeviceInfo>, Error> {
    Query::new().each(|query| ledger.devices(query)).collect()
}

/// The key the hub was made with: what another has signed no device would take.
fn own_signer(ledger: &Ledger) -> Result<Signer, Failure> {
    let info = ledger.info()?;
    if info.role != Role::Hub {
        return Err(wrong_role(&info, "is no hub, and admits nobody", "make it one first: hub init").into());
    }
    let signer = ledger.signer()?;
    if Some(signer.key().public()) != info.public_key {
        let message = "the key beside the ledger is not the one the hub was made with".into();
        let help = "put the hub's own key back beside it".into();
        return Err(Error::InvalidArgument { field: "key".into(), message, help }.into());
    }
    Ok(signer)
}

/// A device by its id or its name.
pub(super) fn device_named(ledger: &Ledger, name: &str) -> Result<DeviceInfo, Error> {
    let named = |device: &DeviceInfo| device.name == name || device.device.to_string() == name;
    let mut found: Vec<DeviceInfo> = all_devices(ledger)?.into_iter().filter(named).collect();
    match (found.pop(), found.len()) {
        (Some(device), 0) => Ok(device),
        (None, _) => Err(Error::UnknownDevice { device: name.into() }),
        (_, others) => {
            let message = format!("{} devices are called `{name}`", others.saturating_add(1));
            let help = "give the id, as `hub devices` shows it".into();
            Err(Error::InvalidArgument { field: "device".into(), message, help })
        }
    }
}

fn expel(session: &mut Session, args: &ExpelArgs) -> Result<Outcome, Failure> {
    let ledger = session.change()?;
    let device = device_named(&ledger, &args.device)?;
    let request = Expel::new(device.device, args.reason.as_str()).on_file(&Key::random());
    ledger.dry_run(&request)?;
    let question = format!("Book no more of what {} ({}) sends?", device.name, device.device);
    confirm::ask(args.confirm.yes, &question, confirm::YES)?;
    book(session, &ledger, request)?;
    Ok(Outcome::Done)
}

fn ask(session: &mut Session, args: &AskArgs) -> Result<Outcome, Failure> {
    must_be_folder(&args.out)?;
    let ledger = session.change()?;
    let info = ledger.info()?;
    could_enrol(&ledger, &info)?;
    let signer = signer(&ledger)?;
    let head = Link { seq: info.operations, hash: info.head };
    let public_key = signer.key().public();
    let mut ask = Ask::new(info.ledger, info.device, info.epoch, public_key, head, ledger.clock()?.reading);
    ask.name.clone_from(&args.name);
    let path = write_file(&args.out, Header::Ask(ask), false, signer.key(), |_| Ok(()))?;
    session.out.one(&info)?;
    session.notes.note(&format!("wrote {}: bring it to the hub, for `hub admit`", path.display()));
    Ok(Outcome::Done)
}

/// Before a hub is asked: whether the file could become a device at all. One that is may ask again, for another key.
fn could_enrol(ledger: &Ledger, info: &Info) -> Result<(), Failure> {
    if info.role == Role::Device {
        return Ok(());
    }
    let key = "0".repeat(64);
    let request = Request::new("enrol").with("key", Key::random().to_string()).with("name", "device");
    let request = request.with("device", info.device.to_string()).with("hub", info.ledger.to_string());
    let request = request.with("hub_key", key.as_str()).with("public_key", key.as_str()).with("late_window", 0);
    ledger.dry_run(&request.with("max_hold", 1).with("max_clock_jump", 1))?;
    Ok(())
}

fn join(session: &mut Session, args: &JoinArgs) -> Result<Outcome, Failure> {
    let ledger = session.change()?;
    let file = inspect(open_file(&args.certificate)?)?;
    let Header::Cert(header) = &file.header else {
        return Err(other_file(&args.certificate, "the certificate that `hub admit` wrote").into());
    };
    file.signed_by(&header.hub_key)?;
    let certificate: Certificate = serde_json::from_str(header.certificate.as_str()).map_err(|error| {
        let message = format!("the certificate cannot be read: {error}");
        Error::InvalidArgument { field: "file".into(), message, help: "let the hub write it again".into() }
    })?;
    let certified = (certificate.device, certificate.hub, certificate.hub_key);
    if certified != (header.device, header.hub, header.hub_key) || certificate.public_key != own_key(&ledger)? {
        let message = "the certificate is not for this ledger's key".into();
        let help = "ask again with `device ask`, and let the hub admit that".into();
        return Err(Error::InvalidArgument { field: "file".into(), message, help }.into());
    }
    let request = Enrol::new(&certificate).on_file(&Key::new("device join")?);
    let fingerprint = certificate.hub_key.id();
    match &args.hub_fingerprint {
        Some(given) if *given == fingerprint => {}
        Some(given) => {
            let message = format!("the hub's is {fingerprint}, and {given} was expected");
            let help = "somebody else may have made the certificate: ask the hub".into();
            return Err(Error::InvalidArgument { field: "hub_fingerprint".into(), message, help }.into());
        }
        None => {
            ledger.dry_run(&request)?;
            let question =
                format!("Does the hub show the fingerprint {fingerprint}? This file becomes its device, for good.");
            confirm::ask(false, &question, "ask the hub for its fingerprint, and give it as --hub-fingerprint")?;
        }
    }
    book(session, &ledger, request)?;
    Ok(Outcome::Done)
}

fn renew_file(session: &mut Session, args: &RenewFileArgs) -> Result<Outcome, Failure> {
    let fresh = session.change()?.renew_file(&args.target)?;
    session.out.one(&fresh.info()?)?;
    fresh.close()?;
    let path = args.target.display();
    session.notes.note(&format!(
        "exchange with the hub next, with it: sync run -f {path} --folder DIR; it knows no account before"
    ));
    Ok(Outcome::Done)
}

fn own_key(ledger: &Ledger) -> Result<counterfoil::exchange::PublicKey, Error> {
    Ok(ledger.signer()?.key().public())
}
