/**
 * `app-proxy`, as a process that nobody leaves behind.
 *
 *     cloud.child.ts cloud run --config CLOUD.json --json
 */
import { cli } from '../../src/cli/cli.ts'
import { runAs } from '../../src/cli/program/program.ts'

// Nobody is there who could end it.
process.once('disconnect', () => process.exit(1))
await runAs('app-proxy', cli, import.meta.url)
