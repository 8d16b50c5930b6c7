/**
 * What cloud-server reads from its configuration file. `cloud-server.schema.json` is generated from
 * this.
 *
 * @module
 */
import * as v from 'valibot'
import { DirectoryConfiguration } from 'app-proxy/cloud'
import { SHARES, TIME_LIMITS, type TimeLimits } from 'app-proxy/protocol'

const port = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535))
const path = v.pipe(v.string(), v.minLength(1))

/** Every time limit may be set, in milliseconds; those left out keep their defaults. */
const limit = v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)))
const limits = v.strictObject(
  Object.fromEntries(Object.keys(TIME_LIMITS).map((name) => [name, limit])) as Record<
    keyof TimeLimits,
    typeof limit
  >,
)

/** Above 0 to 1. */
const part = (usual: number) => v.optional(v.pipe(v.number(), v.gtValue(0), v.maxValue(1)), usual)
const shares = v.strictObject({
  application: v.pipe(
    part(SHARES.application),
    v.description("Of its connectors' capacity, one application; all where there is no other."),
  ),
  user: v.pipe(part(SHARES.user), v.description("Of its application's share, one user.")),
  waiting: v.pipe(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), SHARES.waiting),
    v.description('Requests of a connector group that wait at once.'),
  ),
})

export const CloudServerConfiguration = v.strictObject({
  $schema: v.optional(v.string()),
  stateDir: v.pipe(
    path,
    v.description('Where keys, certificates and the connector registry are kept.'),
  ),
  users: v.pipe(
    v.strictObject({
      port: v.pipe(port, v.description('0 takes a free one.')),
      host: v.optional(v.string(), '127.0.0.1'),
      tls: v.pipe(
        v.optional(
          v.union([v.literal('generated'), v.strictObject({ certFile: path, keyFile: path })]),
        ),
        v.description('Default: plain HTTP. `generated` makes an authority of its own.'),
      ),
      trustedProxies: v.pipe(
        v.optional(
          v.strictObject({
            networks: v.pipe(
              v.array(v.string()),
              v.description('`address/prefix-length` of the proxies.'),
            ),
            header: v.pipe(
              v.optional(v.picklist(['x-forwarded-for', 'forwarded']), 'x-forwarded-for'),
              v.description('The header in which each adds its peer; the other is not read.'),
            ),
          }),
        ),
        v.description(
          'Reverse proxies before this listener, which are believed where users come from. Default: none.',
        ),
      ),
    }),
    v.description('The listener that users reach.'),
  ),
  connectors: v.pipe(
    v.strictObject({
      port: v.pipe(port, v.description('0 takes a free one.')),
      host: v.optional(v.string(), '127.0.0.1'),
      publicUrl: v.pipe(
        v.optional(v.pipe(v.string(), v.url())),
        v.description('How connectors reach it, when that is not its own address.'),
      ),
    }),
    v.description('The listener that connectors reach: always TLS, with client certificates.'),
  ),
  directory: DirectoryConfiguration,
  limits: v.pipe(
    v.optional(limits, {}),
    v.description('Time limits in milliseconds; those left out keep their defaults.'),
  ),
  shares: v.pipe(
    v.optional(shares, {}),
    v.description('How much one application, and one user, may hold at once. See docs/shares.md.'),
  ),
  audit: v.pipe(
    v.optional(
      v.strictObject({
        to: v.optional(
          v.union([v.picklist(['stdout', 'stderr']), v.strictObject({ file: path })]),
          'stderr',
        ),
        format: v.pipe(
          v.optional(v.picklist(['native', 'ocsf']), 'native'),
          v.description('`ocsf`: under the names of the Open Cybersecurity Schema Framework.'),
        ),
        requests: v.pipe(
          v.optional(v.boolean(), false),
          v.description('Whether each request of a user is an event, when it is over.'),
        ),
      }),
      {},
    ),
    v.description('Audit events: where they go, one line of JSON each, and in whose names.'),
  ),
})
export type CloudServerConfiguration = v.InferOutput<typeof CloudServerConfiguration>
