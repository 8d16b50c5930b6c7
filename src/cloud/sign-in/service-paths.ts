/**
 * The issuer's answer at the service's own host, for applications that are called back there: it is
 * handed over to the host where the sign-in was begun, and looked at nowhere else.
 *
 * @module
 */
import { SIGN_IN_DENIALS } from '../../protocol/machines/sign-in-denials.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { AuditSink } from '../audit/audit-sink.ts'
import type { Application, Directory } from '../directory/directory-port.ts'
import { denialOf, SignInDenied } from '../identity/sign-in-errors.ts'
import type { OwnCall, OwnPathTable } from '../request/own-paths.ts'
import { isForm, readForm } from '../request/request-body.ts'
import { applicationHint } from './attempts.ts'
import { denialDetail } from './callback-visit.ts'
import type { HandOvers } from './hand-over.ts'
import { CALLBACK_PATH } from './parties.ts'

export interface ServicePathsOptions {
  readonly handOvers: HandOvers
  readonly directory: Pick<Directory, 'application'>
  readonly clocks: Pick<Clocks, 'wallClock'>
  readonly audit: AuditSink
}

export function serviceSignInPaths(options: ServicePathsOptions): OwnPathTable {
  return {
    [CALLBACK_PATH]: {
      GET: (call) => handOver(options, call, call.target.query.slice(1)),
      POST: async (call) => {
        const { request } = call
        // An unreadable form is treated as an empty one, and refused as such.
        const form = isForm(request.user.head.headers) ? await readForm(request) : undefined
        return handOver(options, call, form ?? '')
      },
    },
  }
}

/** Another method than GET would be repeated with its body: 303. */
async function handOver(options: ServicePathsOptions, call: OwnCall, query: string): Promise<void> {
  const { handOvers, directory, clocks } = options
  const application = directory.application(applicationHint(query) ?? '')
  try {
    if (application?.callback !== 'serviceHost') throw new SignInDenied('state-mismatch')
    const location = await handOvers.begin(application, query, clocks.wallClock())
    call.request.reply(303, ['Location', location])
  } catch (error) {
    deny(options, call, application, denialOf(error))
  }
}

function deny(
  { audit, clocks }: ServicePathsOptions,
  { request }: OwnCall,
  application: Application | undefined,
  denied: SignInDenied,
): void {
  const { reason } = denied
  const denial = SIGN_IN_DENIALS[reason]
  audit.write({
    time: clocks.wallClock(),
    type: 'sign-in.denied',
    outcome: denial.status < 500 ? 'refused' : 'failed',
    reason,
    tenantId: application?.tenantId,
    applicationId: application?.id,
    requestId: request.id,
    address: request.address,
    detail: denialDetail(denial.source, denied, { setCookies: [], requestId: request.id }),
  })
  request.answer({ ...denial, code: reason, isAudited: true })
}
