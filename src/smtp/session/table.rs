//! The command table of the session: what each command does in each stage (RFC 5321 4.1.4). Pure: it moves
//! from stage to stage and names the response. Called by `session` for every line.

use super::{Greeting, MAX_DISCARD, Session, Stage, Transaction};
use crate::address::ReversePath;
use crate::envelope::{Envelope, EnvelopeRecipient, MailParameters, RcptParameters};
use crate::smtp::command::{Chunk, Command, CommandError, ForwardPath};
use crate::smtp::data::{DataDecoder, Incoming};
use crate::smtp::inbox::Inbox;
use crate::smtp::response::Response;

/// A stage, and what to tell the client on the way to it.
type Step<T> = (Stage<T>, Response);

impl<I: Inbox> Session<I> {
    /// The command table. BDAT alone is not answered here but after its bytes.
    pub(super) fn command(
        &self,
        stage: Stage<I::Snapshot>,
        command: Result<Command, CommandError>,
    ) -> (Stage<I::Snapshot>, Option<Response>) {
        let command = match command {
            Ok(command) => command,
            Err(error @ (CommandError::ForeignProtocol | CommandError::ChunkSize)) => {
                return (Stage::Closed, Some(error.into()));
            }
            Err(error) => return (stage, Some(error.into())),
        };
        let (stage, response) = match command {
            Command::Ehlo(name) => {
                let starttls = self.settings.tls.is_some() && self.tls.is_none();
                let response =
                    Response::ehlo(&self.settings.hostname, self.settings.max_message_size, starttls);
                (Stage::Ready(Greeting { name, extended: true }), response)
            }
            Command::Helo(name) => {
                (Stage::Ready(Greeting { name, extended: false }), Response::helo(&self.settings.hostname))
            }
            Command::Rset => (stage.reset(), Response::OK),
            Command::Noop => (stage, Response::OK),
            Command::Help => (stage, Response::HELP),
            Command::Quit => (Stage::Closed, Response::BYE),
            Command::StartTls => self.start_tls(stage),
            Command::Bdat(chunk) => return self.bdat(stage, chunk),
            _ if self.needs_tls() => (stage, Response::TLS_REQUIRED),
            Command::Vrfy => (stage, Response::VERIFY),
            Command::Mail(path, parameters) => self.mail(stage, path, parameters),
            Command::Rcpt(path, parameters) => self.rcpt(stage, path, parameters),
            Command::Data => self.start_data(stage),
        };
        (stage, Some(response))
    }

    fn needs_tls(&self) -> bool {
        self.settings.require_tls && self.tls.is_none()
    }

    fn start_tls(&self, stage: Stage<I::Snapshot>) -> Step<I::Snapshot> {
        match (&self.settings.tls, &self.tls) {
            (_, Some(_)) => (stage, Response::TLS_IS_ON),
            (None, None) => (stage, Response::NO_TLS),
            (Some(_), None) => (Stage::Handshake, Response::START_TLS),
        }
    }

    fn mail(
        &self,
        stage: Stage<I::Snapshot>,
        reverse_path: ReversePath,
        parameters: MailParameters,
    ) -> Step<I::Snapshot> {
        let greeting = match stage {
            Stage::Ready(greeting) | Stage::MailRefused(greeting) => greeting,
            Stage::Start => return (stage, Response::NO_GREETING),
            open => return (open, Response::NESTED_MAIL),
        };
        match self.check_sender(&reverse_path, &parameters) {
            Err(response) => (Stage::MailRefused(greeting), response),
            Ok(snapshot) => {
                let envelope = Envelope { reverse_path, parameters, recipients: Vec::new() };
                (Stage::Mail(Transaction { greeting, snapshot, envelope }), Response::SENDER)
            }
        }
    }

    fn check_sender(&self, path: &ReversePath, parameters: &MailParameters) -> Result<I::Snapshot, Response> {
        if !self.may_relay() {
            return Err(Response::RELAY_DENIED);
        }
        if !parameters.smtputf8 && path.address().is_some_and(|address| address.needs_smtputf8()) {
            return Err(Response::NEEDS_SMTPUTF8);
        }
        if parameters.size.is_some_and(|size| size > self.settings.max_message_size) {
            return Err(Response::TOO_LARGE);
        }
        self.inbox.begin(path).map_err(|refusal| Response::from(&refusal))
    }

    fn rcpt(
        &self,
        stage: Stage<I::Snapshot>,
        path: ForwardPath,
        parameters: RcptParameters,
    ) -> Step<I::Snapshot> {
        let mut transaction = match stage {
            Stage::Start => return (stage, Response::NO_GREETING),
            other if !self.may_relay() => return (other, Response::RELAY_DENIED),
            Stage::Mail(transaction) => transaction,
            Stage::MailRefused(_) => return (stage, Response::MAIL_REFUSED),
            Stage::Chunked(..) => return (stage, Response::BDAT_BEGUN),
            other => return (other, Response::NO_MAIL),
        };
        let address = match path {
            ForwardPath::Postmaster => self.inbox.postmaster(&transaction.snapshot),
            ForwardPath::Mailbox(address) => address,
        };
        let envelope = &mut transaction.envelope;
        let response = if address.needs_smtputf8() && !envelope.parameters.smtputf8 {
            Response::NEEDS_SMTPUTF8
        } else if envelope.recipients.len() >= self.settings.max_recipients
            || !self.inbox.fits(&transaction.snapshot, envelope, &address)
        {
            Response::TOO_MANY_RECIPIENTS
        } else {
            envelope.recipients.push(EnvelopeRecipient { address, parameters });
            Response::RECIPIENT
        };
        (Stage::Mail(transaction), response)
    }

    /// DATA: whether it can be accepted at all is said before the 354.
    fn start_data(&self, stage: Stage<I::Snapshot>) -> Step<I::Snapshot> {
        match stage {
            Stage::Mail(transaction) if !transaction.envelope.recipients.is_empty() => {
                let incoming = self.incoming(&transaction.snapshot);
                (Stage::Data(transaction, DataDecoder::default(), incoming), Response::START_DATA)
            }
            refused => {
                let response = refused.no_data();
                (refused, response)
            }
        }
    }

    /// BDAT: its bytes are taken in any case, so that they never become commands (H37).
    fn bdat(&self, stage: Stage<I::Snapshot>, chunk: Chunk) -> (Stage<I::Snapshot>, Option<Response>) {
        if chunk.size > self.settings.max_message_size.saturating_add(MAX_DISCARD) {
            return (Stage::Closed, Some(Response::TOO_LARGE));
        }
        let stage = match stage {
            Stage::Mail(transaction) if !transaction.envelope.recipients.is_empty() && !self.needs_tls() => {
                let incoming = self.incoming(&transaction.snapshot);
                Stage::Chunk(transaction, incoming, chunk)
            }
            Stage::Chunked(transaction, incoming) => Stage::Chunk(transaction, incoming, chunk),
            refused => {
                let response = if self.needs_tls() { Response::TLS_REQUIRED } else { refused.no_data() };
                Stage::SkipChunk { left: chunk.size, response, back: Box::new(refused) }
            }
        };
        (stage, None)
    }

    fn incoming(&self, snapshot: &I::Snapshot) -> Incoming {
        let account = self.account.of(self.inbox.sharer(snapshot));
        Incoming::new(self.settings.max_message_size, &account)
    }
}

impl<T> Stage<T> {
    /// RSET: back to between transactions.
    fn reset(self) -> Self {
        match self {
            Self::Ready(greeting)
            | Self::MailRefused(greeting)
            | Self::Mail(Transaction { greeting, .. })
            | Self::Chunked(Transaction { greeting, .. }, _) => Self::Ready(greeting),
            other => other,
        }
    }

    /// Why DATA or BDAT cannot be accepted in this stage.
    fn no_data(&self) -> Response {
        match self {
            Self::Start => Response::NO_GREETING,
            Self::MailRefused(_) => Response::MAIL_REFUSED,
            Self::Chunked(..) => Response::BDAT_BEGUN,
            Self::Mail(_) => Response::NO_RECIPIENTS,
            _ => Response::NO_MAIL,
        }
    }
}
