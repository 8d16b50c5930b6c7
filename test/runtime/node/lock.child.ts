/** Locks the state directory that it is told, says how that went, and holds it until it is killed. */
import { lockStateDirectory } from '../../../src/runtime/node/state-lock.ts'

const said = await lockStateDirectory(process.argv[2]!).then(
  () => 'locked',
  (error: Error) => error.message,
)
console.log(said)
if (said === 'locked') setInterval(() => undefined, 1_000)
