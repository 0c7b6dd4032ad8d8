/** A random conversation in a small world: steps that depend on nothing but the seed, their number and what was answered before. */
import { Dice } from '../dice.ts'
import type { World } from '../world.ts'

/** What is remembered between the steps of one walk. */
export interface Walker {
  /** One step, drawn from all that is possible. */
  step(dice: Dice): Promise<void>
}

export interface Walk {
  readonly name: string
  start(world: World): Promise<Walker>
}

/** One of the actions, by weight. */
export function draw<Action>(dice: Dice, actions: readonly (readonly [weight: number, action: Action])[]): Action {
  let at = dice.roll(actions.reduce((sum, [weight]) => sum + weight, 0))
  for (const [weight, action] of actions) {
    if (at < weight) return action
    at -= weight
  }
  throw new Error('weights do not add up')
}

/**
 * Takes the steps of these numbers, until `isDone` says that it is enough. Each has dice of its own, so that it is the same step when
 * others are left out. Returns the number of the last one taken.
 */
export async function take(
  walker: Walker,
  seed: number,
  steps: readonly number[],
  isDone: () => boolean,
): Promise<number> {
  for (const step of steps) {
    await walker.step(new Dice(Math.imul(seed, 0x9e3779b1) ^ Math.imul(step + 1, 0x85ebca6b)))
    if (isDone()) return step
  }
  return steps.at(-1) ?? -1
}
