//! `Hello` and the inventory inside it.

use super::{ConvertError, bounded, digest, line, missing, optional, text, version};
use crate::{
    model::{
        EnvoyInfo, HeldWorkload, Hello, HubIncarnation, Incarnation, Inventory, InventoryWorkload,
        MOST_WORKLOADS,
    },
    wire,
};

/// Most characters of what an agent says of itself, of its proxies and of other components.
const LONGEST: usize = 253;

/// Most features, and most components.
const MOST_NAMED: usize = 256;

impl From<Hello> for wire::Hello {
    fn from(hello: Hello) -> Self {
        let Hello {
            fleet,
            incarnation,
            term,
            hub,
            held,
            aborts,
            inventory,
            witness,
        } = hello;
        Self {
            fleet: fleet.map(String::from).unwrap_or_default(),
            incarnation: incarnation.0,
            term: Some(term.into()),
            hub: hub.0,
            held: held.into_iter().map(Into::into).collect(),
            aborts: aborts
                .into_iter()
                .map(|(id, proof)| wire::HeldAbort {
                    id: id.into(),
                    proof: proof.map(Into::into),
                })
                .collect(),
            inventory: Some(inventory.into()),
            witness: witness.map(Into::into),
        }
    }
}

impl TryFrom<wire::Hello> for Hello {
    type Error = ConvertError;

    fn try_from(hello: wire::Hello) -> Result<Self, ConvertError> {
        let wire::Hello {
            fleet,
            incarnation,
            term,
            hub,
            held,
            aborts,
            inventory,
            witness,
        } = hello;
        let held = bounded("hello.held", held, MOST_WORKLOADS)?;
        let aborts = bounded("hello.aborts", aborts, MOST_WORKLOADS)?;
        Ok(Self {
            fleet: optional("hello.fleet", &fleet)?,
            incarnation: Incarnation(incarnation),
            term: term.ok_or(missing("hello.term"))?.into(),
            hub: HubIncarnation(line(&hub, 64)),
            held: held
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            aborts: aborts
                .into_iter()
                .map(|abort| {
                    let proof = abort.proof.map(TryInto::try_into).transpose()?;
                    Ok((text("hello.aborts.id", &abort.id)?, proof))
                })
                .collect::<Result<_, ConvertError>>()?,
            inventory: inventory.ok_or(missing("hello.inventory"))?.try_into()?,
            witness: witness.map(TryInto::try_into).transpose()?,
        })
    }
}

impl From<HeldWorkload> for wire::Held {
    fn from(held: HeldWorkload) -> Self {
        let HeldWorkload {
            workload,
            fence,
            proof,
        } = held;
        Self {
            workload: workload.into(),
            fence: Some(fence.into()),
            proof: proof.map(Into::into),
        }
    }
}

impl TryFrom<wire::Held> for HeldWorkload {
    type Error = ConvertError;

    fn try_from(held: wire::Held) -> Result<Self, ConvertError> {
        let wire::Held {
            workload,
            fence,
            proof,
        } = held;
        Ok(Self {
            workload: text("held.workload", &workload)?,
            fence: fence.ok_or(missing("held.fence"))?.try_into()?,
            proof: proof.map(TryInto::try_into).transpose()?,
        })
    }
}

impl From<Inventory> for wire::Inventory {
    fn from(inventory: Inventory) -> Self {
        let Inventory {
            agent,
            platform,
            features,
            workloads,
            proxies,
            components,
        } = inventory;
        Self {
            agent,
            platform,
            features,
            workloads: workloads
                .into_iter()
                .map(
                    |InventoryWorkload {
                         workload,
                         version,
                         digest,
                         initial,
                     }| wire::InventoryWorkload {
                        workload: workload.into(),
                        version,
                        digest: digest.map(String::from),
                        initial,
                    },
                )
                .collect(),
            proxies: proxies
                .into_iter()
                .map(
                    |EnvoyInfo {
                         node,
                         version,
                         connected,
                     }| wire::Proxy {
                        node,
                        version,
                        connected,
                    },
                )
                .collect(),
            components: components.into_iter().collect(),
        }
    }
}

impl TryFrom<wire::Inventory> for Inventory {
    type Error = ConvertError;

    fn try_from(inventory: wire::Inventory) -> Result<Self, ConvertError> {
        let wire::Inventory {
            agent,
            platform,
            features,
            workloads,
            proxies,
            components,
        } = inventory;
        let workloads = bounded("inventory.workloads", workloads, MOST_WORKLOADS)?;
        let proxies = bounded("inventory.proxies", proxies, MOST_WORKLOADS)?;
        Ok(Self {
            agent: line(&agent, LONGEST),
            platform: line(&platform, LONGEST),
            features: bounded("inventory.features", features, MOST_NAMED)?
                .iter()
                .map(|feature| line(feature, LONGEST))
                .collect(),
            workloads: workloads
                .into_iter()
                .map(|entry| {
                    Ok(InventoryWorkload {
                        workload: text("inventory.workloads.workload", &entry.workload)?,
                        version: version("inventory.workloads.version", entry.version)?,
                        digest: digest("inventory.workloads.digest", entry.digest)?,
                        initial: version("inventory.workloads.initial", entry.initial)?,
                    })
                })
                .collect::<Result<_, ConvertError>>()?,
            proxies: proxies
                .into_iter()
                .map(
                    |wire::Proxy {
                         node,
                         version,
                         connected,
                     }| EnvoyInfo {
                        node: line(&node, LONGEST),
                        version: line(&version, LONGEST),
                        connected,
                    },
                )
                .collect(),
            components: components
                .iter()
                .take(MOST_NAMED)
                .map(|(name, version)| (line(name, LONGEST), line(version, LONGEST)))
                .collect(),
        })
    }
}
