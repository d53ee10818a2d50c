//! iceoryx2 between two processes: publish and subscribe through its shared memory, used as its documentation shows, polled.
//!
//! It does more than a ring (loans, any number of publishers) and less (a record has no position, a loss is not counted).

use iceoryx2::node::Node;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::{LogLevel, NodeBuilder, ipc, set_log_level};

use crate::ring::{Broken, End, Words};

/// Which of the two parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// The one that begins; it must be there before the other.
    Near,
    /// The other.
    Far,
}

/// One end: a publisher there, a subscriber back.
#[derive(Debug)]
pub struct IceoryxEnd {
    publisher: Publisher<ipc::Service, Words, ()>,
    subscriber: Subscriber<ipc::Service, Words, ()>,
    _node: Node<ipc::Service>,
}

impl IceoryxEnd {
    /// An end of the two services that `name` names; both parties give the same.
    ///
    /// # Errors
    /// If the services cannot be had.
    pub fn new(name: &str, party: Party) -> Result<IceoryxEnd, Broken> {
        set_log_level(LogLevel::Error);
        let node = NodeBuilder::new().create::<ipc::Service>().map_err(Broken::new)?;
        let service = |direction: &str| {
            let name = format!("tickpath/bench/{name}/{direction}");
            node.service_builder(&name.as_str().try_into().map_err(Broken::new)?)
                .publish_subscribe::<Words>()
                .open_or_create()
                .map_err(Broken::new)
        };
        let (out, back) = match party {
            Party::Near => (service("there")?, service("back")?),
            Party::Far => (service("back")?, service("there")?),
        };
        Ok(IceoryxEnd {
            subscriber: back.subscriber_builder().create().map_err(Broken::new)?,
            publisher: out.publisher_builder().create().map_err(Broken::new)?,
            _node: node,
        })
    }
}

impl End for IceoryxEnd {
    #[inline(always)]
    fn send(&mut self, words: &Words) -> Result<(), Broken> {
        let sample = self.publisher.loan_uninit().map_err(Broken::new)?;
        sample.write_payload(*words).send().map_err(Broken::new)?;
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self, words: &mut Words) -> Result<bool, Broken> {
        match self.subscriber.receive().map_err(Broken::new)? {
            Some(sample) => {
                *words = *sample;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}
