//! A tree of commands: recipes as leaves, joined the way people join commands. What is drawn from a seed.

use super::chance::Chance;
use super::recipe::Recipe;

/// How the leaves of a tree are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One after the other, with a pause between.
    Sequence,
    /// All in the background of a shell that waits.
    Jobs,
    /// A shell in a shell in a shell.
    Nested,
    /// The output of each goes through a pipe.
    Pipes,
    /// The output of all is captured by a shell.
    Captured,
    /// Rules of a makefile.
    Make,
    /// Jobs of xargs.
    Xargs,
    /// Each with a limit that is not reached.
    Limited,
    /// One at a time, by a lock.
    Locked,
    /// Sessions of their own.
    Sessions,
    /// Children of a Python program that captures them.
    Python,
    /// The last one takes the place of the shell.
    Replaced,
    /// One beside a loop that polls.
    Polled,
    /// A server stands idle beside them.
    IdleBeside,
}

const SHAPES: &[Shape] = &[
    Shape::Sequence,
    Shape::Jobs,
    Shape::Nested,
    Shape::Pipes,
    Shape::Captured,
    Shape::Make,
    Shape::Xargs,
    Shape::Limited,
    Shape::Locked,
    Shape::Sessions,
    Shape::Python,
    Shape::Replaced,
    Shape::Polled,
    Shape::IdleBeside,
];

/// Ends of a tree. A command that fails may be accused even after its end, one that ended well never is.
const CODES: &[u8] = &[0, 0, 0, 1, 3, 42];

/// A leaf: a recipe and its pauses.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) recipe: Recipe,
    /// A pause of seconds, one below a second, and a small number.
    pub(super) pause: String,
    pub(super) moment: String,
    pub(super) number: usize,
}

/// A tree.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Its number, which is its seed.
    pub seed: u64,
    /// The exit code that it ends with.
    pub code: u8,
    shape: Shape,
    pub(super) leaves: Vec<Leaf>,
}

impl Tree {
    /// The tree of this number over these recipes. Every recipe comes first in some tree before any does again.
    ///
    /// # Panics
    /// When there are no recipes.
    #[must_use]
    pub fn new(seed: u64, recipes: &[Recipe]) -> Self {
        let mut chance = Chance::new(seed);
        let first = seed as usize % recipes.len();
        let more = *chance.of(&[0, 0, 1, 1, 2]);
        let mut chosen = vec![first];
        chosen.extend((0..more).map(|_| chance.below(recipes.len())));
        let leaves = chosen.into_iter().map(|which| Leaf {
            recipe: recipes[which].clone(),
            pause: chance.tenths(31, 74),
            moment: chance.tenths(2, 9),
            number: 2 + chance.below(4),
        });
        let leaves = leaves.collect();
        Self { seed, code: *chance.of(CODES), shape: *chance.of(SHAPES), leaves }
    }

    /// What it is, for people.
    #[must_use]
    pub fn name(&self) -> String {
        let leaves: Vec<&str> = self.leaves.iter().map(|leaf| leaf.recipe.name).collect();
        format!("{} {:?}({})", self.seed, self.shape, leaves.join(", "))
    }

    /// The script: `leaf N` runs leaf N, and notes that it began and when it fails.
    pub(super) fn script(&self) -> String {
        let head = "exec 2>>tree.err </dev/null\n\
             leaf() { echo \"$1\" >> \"$TREE/begun\"; (cd \"$TREE/$1\" && exec bash ./run) || echo \"$1\" >> \"$TREE/failed\"; }\n\
             export -f leaf; export TREE\n";
        let numbers: Vec<usize> = (0..self.leaves.len()).collect();
        let some = |numbers: &[usize], line: &dyn Fn(usize) -> String| {
            numbers.iter().map(|n| line(*n)).collect::<Vec<String>>().concat()
        };
        let each = |line: &dyn Fn(usize) -> String| some(&numbers, line);
        let body = match self.shape {
            Shape::Sequence => each(&|n| format!("leaf {n}; sleep 0.7\n")),
            Shape::Jobs => each(&|n| format!("leaf {n} &\n")) + "wait\n",
            Shape::Nested => each(&|n| format!("bash -c 'bash -c \"leaf {n}; true\"; true'\n")),
            Shape::Pipes => each(&|n| format!("leaf {n} | cat | cat >/dev/null\n")),
            Shape::Captured => format!("said=$({})\n", each(&|n| format!("leaf {n} & ")) + "wait"),
            Shape::Make => {
                let goals: Vec<String> = numbers.iter().map(|n| format!("goal{n}")).collect();
                let rules = each(&|n| format!("goal{n}:\\n\\t@+bash -c \"leaf {n}\"\\n"));
                format!("printf 'SHELL = bash\\nall: {}\\n{rules}' > Makefile\nmake -s -j2\n", goals.join(" "))
            }
            Shape::Xargs => format!("seq 0 {} | xargs -P 2 -I @ bash -c 'leaf @'\n", numbers.len() - 1),
            Shape::Limited => each(&|n| format!("timeout 50 bash -c 'leaf {n}'\n")),
            Shape::Locked => each(&|n| format!("flock turn bash -c 'leaf {n}' &\n")) + "wait\n",
            Shape::Sessions => each(&|n| format!("setsid -w bash -c 'leaf {n}'\n")),
            Shape::Python => {
                let run = "import subprocess, sys\n\
                           children = [subprocess.Popen([\"bash\", \"-c\", f\"leaf {n}\"], stdout=subprocess.PIPE) for n in sys.argv[1:]]\n\
                           for child in children: child.communicate()\n";
                format!("python3 -c '{run}' {}\n", each(&|n| format!("{n} ")))
            }
            Shape::Replaced => {
                let last = numbers.len() - 1;
                let before = some(&numbers[..last], &|n| format!("leaf {n} &\n"));
                format!("{before}exec bash -c 'leaf {last}; exit {}'\n", self.code)
            }
            Shape::Polled => {
                each(&|n| format!("leaf {n} &\n")) + "while test -n \"$(jobs -r)\"; do sleep 0.4; done; wait\n"
            }
            Shape::IdleBeside => {
                let jobs = each(&|n| format!("leaf {n} &\nleaf{n}=$!\n"));
                let waits = each(&|n| format!("wait $leaf{n}\n"));
                format!("mkfifo idle; cat <>idle >/dev/null & idle=$!\n{jobs}{waits}kill $idle; wait $idle\n")
            }
        };
        format!("{head}{body}exit {}\n", self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::super::recipes;
    use super::*;

    #[test]
    fn a_seed_is_a_tree_for_ever_and_all_recipes_come_in_turn() {
        let recipes = recipes();
        let named = |seed| Tree::new(seed, &recipes).name();
        assert_eq!(named(7), named(7));
        let first = |seed| Tree::new(seed, &recipes).leaves[0].recipe.name;
        for (seed, recipe) in recipes.iter().enumerate() {
            assert_eq!(first(seed as u64), recipe.name);
        }
    }

    #[test]
    fn each_shape_comes_and_is_a_script_that_a_shell_can_read() {
        let recipes = recipes();
        for shape in SHAPES {
            let tree = (0..10_000).map(|seed| Tree::new(seed, &recipes)).find(|tree| tree.shape == *shape);
            let script = tree.expect("each shape comes").script();
            let read = std::process::Command::new("bash").args(["-n", "-c", &script]).status().expect("bash");
            assert!(read.success(), "{script}");
        }
    }
}
