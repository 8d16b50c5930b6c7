/** Tokens of the real library, without what decides about them. */
import { openForeignLibrary } from '../../src/connector/kerberos/foreign-library.ts'
import { Gssapi } from '../../src/connector/kerberos/gssapi.ts'
import type { TicketsOptions } from '../../src/connector/kerberos/tickets.ts'
import { Tokens } from '../../src/connector/kerberos/tokens.ts'
import { systemClocks } from '../../src/runtime/clocks.ts'
import { systemScheduler } from '../../src/runtime/scheduler.ts'

export async function foreignTokens(
  options: Pick<TicketsOptions, 'keytab'> & Partial<TicketsOptions>,
): Promise<Tokens> {
  return new Tokens({
    gssapi: new Gssapi(await openForeignLibrary()),
    ...{ principal: undefined, capacity: 100, ticketAgeMs: 600_000, lanes: 2, limitMs: 60_000 },
    ...{ clocks: systemClocks, scheduler: systemScheduler({ keepsAlive: false }) },
    ...options,
  })
}
