/**
 * Which applications have their bodies translated, and by what.
 *
 * @module
 */
import type { Containment } from '../../runtime/containment.ts'
import type { Clocks } from '../../runtime/clocks.ts'
import type { Published } from '../directory/published.ts'
import type { UserExchange } from '../request/user-exchange.ts'
import { BodyTranslation } from '../translate/bodies/body-translation.ts'
import type { ContentCodings } from '../translate/bodies/content-codings.ts'
import { TranslatedAnswer } from '../translate/bodies/translated-answer.ts'
import { translatePolicies } from '../translate/content-security-policy.ts'
import type { PublishedUrls } from '../translate/published-urls.ts'
import type { UrlTranslation } from '../translate/url-translation.ts'
import { outwardInText } from '../translate/urls-in-text.ts'

/** What translates bodies. */
export interface TranslatedBodiesOptions {
  readonly urls: PublishedUrls
  readonly clocks: Clocks
  readonly containment: Containment
  /** Default: none, and what is coded is not translated. */
  readonly contentCodings?: ContentCodings | undefined
}

/** The translations of bodies, each made once. */
export class TranslatedBodies {
  readonly #options: TranslatedBodiesOptions
  readonly #translations = new WeakMap<UrlTranslation, BodyTranslation>()

  constructor(options: TranslatedBodiesOptions) {
    this.#options = options
  }

  /** What stands between an exchange and its user; undefined: nothing, its bodies stay. */
  before(user: UserExchange, published: Published): TranslatedAnswer | undefined {
    if (published.application.translate?.bodies !== 'links') return undefined
    const { containment } = this.#options
    return new TranslatedAnswer(user, this.#of(published), (error) =>
      containment.tellInternal('translate', error),
    )
  }

  #of({ application }: Published): BodyTranslation {
    const { urls, clocks, contentCodings } = this.#options
    const translation = urls.of(application, clocks.now())
    let bodies = this.#translations.get(translation)
    if (bodies === undefined) {
      const { internal, external } = translation.own
      bodies = new BodyTranslation({
        urls: translation,
        inText: (text) => outwardInText(text, translation),
        policy: (policy) =>
          translatePolicies(policy, translation, (url) => translation.outward(url)),
        translatesPaths: internal.base !== external.base,
        externalUrl: application.externalUrl,
        mediaTypes: application.translate!.mediaTypes,
        codings: contentCodings,
      })
      this.#translations.set(translation, bodies)
    }
    return bodies
  }
}
