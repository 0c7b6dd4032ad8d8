import { api } from '../schema/api.ts'
import { array, bool, int16, int32, int8, string } from '../schema/field.ts'

/**
 * Describes configs of topics, brokers and other resources. Synonyms since version 1 (KIP-226), types and documentation
 * since 3 (KIP-569).
 */
export const DescribeConfigs = api({
  key: 32,
  name: 'DescribeConfigs',
  versions: [0, 4],
  flexible: 4,
  request: {
    resources: array({
      resourceType: int8,
      resourceName: string,
      /** Null asks for all. */
      configurationKeys: array(string).nullable(),
    }),
    includeSynonyms: bool.since(1),
    includeDocumentation: bool.since(3),
  },
  response: {
    throttleTimeMs: int32,
    results: array({
      errorCode: int16,
      errorMessage: string.nullable(),
      resourceType: int8,
      resourceName: string,
      configs: array({
        name: string,
        value: string.nullable(),
        readOnly: bool,
        isDefault: bool.upTo(0),
        configSource: int8.since(1).default(-1).ignorable(),
        isSensitive: bool,
        synonyms: array({ name: string, value: string.nullable(), source: int8 }).since(1).ignorable(),
        configType: int8.since(3).ignorable(),
        documentation: string.since(3).nullable().ignorable(),
      }),
    }),
  },
})
