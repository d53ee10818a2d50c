//! A market and a strategy that do anything.

use proptest::prelude::*;
use tickpath_engine::order::OrderRequest;
use tickpath_protocol::Side;

use super::{Do, ONE, Scene, limit, market};

/// One step of a market that walks at random, and of a strategy that orders at random in it.
pub type Step = (u8, bool, i64, i64, u8);

/// Plays them, one every `step_ns`.
pub fn play(steps: &[Step], mut scene: Scene, step_ns: i64) -> Scene {
    scene.book(
        &[(9_900, 5 * ONE), (9_800, 9 * ONE)],
        &[(10_000, 5 * ONE), (10_100, 9 * ONE)],
    );
    for (index, (what, buy, price, size, act)) in steps.iter().enumerate() {
        let (side, now) = (if *buy { Side::Bid } else { Side::Ask }, index as i64 * step_ns);
        let near = if *buy { 9_900 } else { 10_000 } + price;
        let request = match act % 4 {
            0 => limit(side, near, size + 1),
            1 => market(side, size + 1),
            2 => OrderRequest {
                reduce_only: true,
                ..market(side, size + 1)
            },
            _ => OrderRequest {
                kind: tickpath_engine::OrderType::Stop {
                    trigger: tickpath_engine::Price(near),
                },
                ..limit(side, near, size + 1)
            },
        };
        let open: Vec<_> = scene.engine.orders().open().iter().map(|order| order.id).collect();
        let some = open.get(*act as usize % open.len().max(1));
        let next = match (act / 4 % 4, some) {
            (0, _) => Some(Do::Submit(request)),
            (1, Some(id)) => Some(Do::Cancel(*id)),
            (2, Some(id)) => Some(Do::Replace(*id, Some(near), size + 1)),
            _ => None,
        };
        scene.script.told().todo.extend(next);
        scene.at(now);
        match what % 4 {
            0 => scene.trade(side, near, *size),
            1 => scene.level(side, near, *size),
            2 => scene.level(side, near, 0),
            _ => scene.tick(),
        };
    }
    scene
}

/// Any of them.
pub fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(
        (any::<u8>(), any::<bool>(), -120i64..120, 0i64..30_000, any::<u8>()),
        1..120,
    )
}
