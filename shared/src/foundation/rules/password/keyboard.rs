//! Adjacent keys.

const GRIDS: [[&str; 4]; 3] = [
    ["1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./"],
    ["!@#$%^&*()_+", "qwertyuiop{}", "asdfghjkl:\"", "zxcvbnm<>?"],
    ["1234567890-=", "йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю."],
];

/// The keyboard paths at the beginning of the text, and how often they turn: one entry for each length from three keys
/// on.
pub(super) fn paths(text: &[char], mut found: impl FnMut(usize, u8)) {
    for grid in &GRIDS {
        let (mut before, mut direction, mut turns): (Option<(i8, i8)>, _, _) = (None, None, 0_u8);
        for (index, c) in text.iter().enumerate() {
            let Some(key) = place(grid, *c) else { break };
            if let Some((row, column)) = before {
                let step = (key.0 - row, key.1 - column);
                if step == (0, 0) || step.0.abs() > 1 || step.1.abs() > 1 {
                    break;
                }
                if direction.is_some_and(|direction| direction != step) {
                    turns = turns.saturating_add(1);
                }
                direction = Some(step);
            }
            before = Some(key);
            if index >= 2 {
                found(index + 1, turns);
            }
        }
    }
}

fn place(grid: &[&str; 4], key: char) -> Option<(i8, i8)> {
    (0..).zip(grid).find_map(|(row, keys)| {
        let mut keys = (0..).zip(keys.chars());
        keys.find(|(_, one)| *one == key).map(|(column, _)| (row, column))
    })
}
