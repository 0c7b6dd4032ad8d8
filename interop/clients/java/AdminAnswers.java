import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.security.token.delegation.DelegationToken;

/**
 * Everything that Kafka's own Admin can be asked, as JSON in the shape of our admin's answers, so that the two can be held against each other.
 * Arguments: a properties file and a job: topics, brokers, groups by type, transactional ids, config resources.
 */
public final class AdminAnswers {
  private static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] args) throws Exception {
    Properties properties = new Properties();
    try (var file = new java.io.FileInputStream(args[0])) {
      properties.load(file);
    }
    JsonNode job = JSON.readTree(args[1]);
    try (Admin admin = Admin.create(properties)) {
      ObjectNode answers = JSON.createObjectNode();
      if (job.has("tokens")) {
        answers.set("tokens", tokens(admin));
      } else {
        topics(admin, job, answers);
        cluster(admin, job, answers);
        groups(admin, job, answers);
        transactions(admin, job, answers);
      }
      System.out.println(JSON.writeValueAsString(answers));
    }
  }

  private static List<String> texts(JsonNode list) {
    List<String> texts = new ArrayList<>();
    list.forEach(one -> texts.add(one.asText()));
    return texts;
  }

  private static ArrayNode array() {
    return JSON.createArrayNode();
  }

  private static ObjectNode object() {
    return JSON.createObjectNode();
  }

  private static ArrayNode ids(Collection<Node> nodes) {
    ArrayNode ids = array();
    nodes.forEach(node -> ids.add(node.id()));
    return ids;
  }

  private static ArrayNode numbers(Collection<Integer> all) {
    ArrayNode numbers = array();
    all.forEach(numbers::add);
    return numbers;
  }

  private static void operations(ObjectNode into, Set<AclOperation> operations) {
    if (operations == null) {
      into.putNull("authorizedOperations");
      return;
    }
    ArrayNode names = into.putArray("authorizedOperations");
    operations.forEach(operation -> names.add(operation.name()));
  }

  private static ObjectNode node(Node node) {
    ObjectNode described = object().put("id", node.id()).put("host", node.host()).put("port", node.port());
    return described.put("rack", node.rack());
  }

  private static ObjectNode at(String topic, int partition) {
    return object().put("topic", topic).put("partition", partition);
  }

  private static ArrayNode partitions(Collection<TopicPartition> all) {
    ArrayNode partitions = array();
    all.forEach(one -> partitions.add(at(one.topic(), one.partition())));
    return partitions;
  }

  private static Integer orNull(Optional<Integer> value) {
    return value.orElse(null);
  }

  private static void topics(Admin admin, JsonNode job, ObjectNode answers) throws Exception {
    ArrayNode listed = answers.putArray("topicListings");
    for (TopicListing topic : admin.listTopics(new ListTopicsOptions().listInternal(true)).listings().get())
      listed.addObject().put("name", topic.name()).put("topicId", topic.topicId().toString()).put("isInternal", topic.isInternal());

    List<String> names = texts(job.path("topics"));
    ArrayNode topics = answers.putArray("topics");
    List<TopicPartition> all = new ArrayList<>();
    var described = admin.describeTopics(names, new DescribeTopicsOptions().includeAuthorizedOperations(true)).allTopicNames().get();
    for (TopicDescription topic : described.values()) {
      ObjectNode one = topics.addObject().put("name", topic.name()).put("topicId", topic.topicId().toString()).put("isInternal", topic.isInternal());
      ArrayNode partitions = one.putArray("partitions");
      topic.partitions().forEach(info -> {
        all.add(new TopicPartition(topic.name(), info.partition()));
        ObjectNode partition = at(topic.name(), info.partition());
        partitions.add(partition);
        partition.put("leaderId", info.leader() == null ? null : info.leader().id());
        partition.set("replicas", ids(info.replicas()));
        partition.set("inSyncReplicas", ids(info.isr()));
        partition.set("eligibleLeaderReplicas", info.elr() == null ? null : ids(info.elr()));
        partition.set("lastKnownEligibleLeaderReplicas", info.lastKnownElr() == null ? null : ids(info.lastKnownElr()));
      });
      operations(one, topic.authorizedOperations());
    }

    Map<String, OffsetSpec> specs = new TreeMap<>(Map.of(
      "earliest", OffsetSpec.earliest(), "latest", OffsetSpec.latest(), "max-timestamp", OffsetSpec.maxTimestamp(),
      "earliest-local", OffsetSpec.earliestLocal(), "latest-tiered", OffsetSpec.latestTiered(),
      "earliest-pending-upload", OffsetSpec.earliestPendingUpload()));
    if (job.has("timestamp")) specs.put("timestamp", OffsetSpec.forTimestamp(job.path("timestamp").asLong()));
    ArrayNode offsets = answers.putArray("offsets");
    for (var spec : specs.entrySet()) {
      Map<TopicPartition, OffsetSpec> queries = new HashMap<>();
      all.forEach(partition -> queries.put(partition, spec.getValue()));
      for (var found : admin.listOffsets(queries).all().get().entrySet()) {
        ObjectNode one = at(found.getKey().topic(), found.getKey().partition()).put("spec", spec.getKey());
        offsets.add(one);
        var info = found.getValue();
        if (info.offset() < 0) one.putNull("offset"); else one.put("offset", info.offset());
        if (info.timestamp() < 0) one.putNull("timestamp"); else one.put("timestamp", info.timestamp());
        one.put("leaderEpoch", orNull(info.leaderEpoch()));
      }
    }

    ArrayNode reassignments = answers.putArray("reassignments");
    for (var found : admin.listPartitionReassignments().reassignments().get().entrySet()) {
      ObjectNode one = at(found.getKey().topic(), found.getKey().partition());
      reassignments.add(one);
      one.set("replicas", numbers(found.getValue().replicas()));
      one.set("addingReplicas", numbers(found.getValue().addingReplicas()));
      one.set("removingReplicas", numbers(found.getValue().removingReplicas()));
    }

    ArrayNode producers = answers.putArray("producers");
    for (var found : admin.describeProducers(all).all().get().entrySet()) {
      ObjectNode one = at(found.getKey().topic(), found.getKey().partition());
      producers.add(one);
      ArrayNode active = one.putArray("activeProducers");
      for (ProducerState state : found.getValue().activeProducers()) {
        ObjectNode producer = active.addObject().put("producerId", state.producerId()).put("producerEpoch", state.producerEpoch());
        producer.put("lastSequence", state.lastSequence()).put("lastTimestamp", state.lastTimestamp());
        OptionalInt epoch = state.coordinatorEpoch();
        producer.put("coordinatorEpoch", epoch.isPresent() ? (Integer) epoch.getAsInt() : null);
        OptionalLong start = state.currentTransactionStartOffset();
        producer.put("currentTransactionStartOffset", start.isPresent() ? (Long) start.getAsLong() : null);
      }
    }
  }

  private static void cluster(Admin admin, JsonNode job, ObjectNode answers) throws Exception {
    var described = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true).includeFencedBrokers(true));
    ObjectNode cluster = answers.putObject("cluster").put("clusterId", described.clusterId().get());
    ArrayNode brokers = cluster.putArray("brokers");
    for (Node node : described.nodes().get()) brokers.add(node(node).put("isFenced", node.isFenced()));
    operations(cluster, described.authorizedOperations().get());

    var features = admin.describeFeatures().featureMetadata().get();
    ObjectNode feature = answers.putObject("features");
    ObjectNode finalized = feature.putObject("finalized");
    features.finalizedFeatures().forEach((name, range) ->
      finalized.putObject(name).put("min", range.minVersionLevel()).put("max", range.maxVersionLevel()));
    ObjectNode supported = feature.putObject("supported");
    features.supportedFeatures().forEach((name, range) ->
      supported.putObject(name).put("min", range.minVersion()).put("max", range.maxVersion()));

    var quorum = admin.describeMetadataQuorum().quorumInfo().get();
    ObjectNode info = answers.putObject("quorum").put("leaderId", quorum.leaderId()).put("leaderEpoch", quorum.leaderEpoch());
    ArrayNode voters = info.putArray("voters");
    quorum.voters().forEach(voter -> voters.addObject().put("replicaId", voter.replicaId()).put("directoryId", voter.replicaDirectoryId().toString()));
    info.put("observers", quorum.observers().size());
    ArrayNode nodes = info.putArray("nodes");
    quorum.nodes().values().forEach(one -> {
      ArrayNode endpoints = nodes.addObject().put("nodeId", one.nodeId()).putArray("endpoints");
      one.endpoints().forEach(endpoint -> endpoints.addObject().put("name", endpoint.listener()).put("host", endpoint.host()).put("port", endpoint.port()));
    });

    List<ConfigResource> resources = new ArrayList<>();
    job.path("configResources").forEach(one ->
      resources.add(new ConfigResource(ConfigResource.Type.valueOf(one.path("type").asText()), one.path("name").asText())));
    ArrayNode configs = answers.putArray("configs");
    var configOptions = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
    for (var found : admin.describeConfigs(resources, configOptions).all().get().entrySet()) {
      ObjectNode one = configs.addObject().put("type", found.getKey().type().name()).put("name", found.getKey().name());
      ObjectNode entries = one.putObject("configs");
      for (ConfigEntry entry : found.getValue().entries()) {
        ObjectNode config = entries.putObject(entry.name()).put("name", entry.name()).put("value", entry.value());
        config.put("source", entry.source().name()).put("isDefault", entry.isDefault()).put("isReadOnly", entry.isReadOnly());
        config.put("isSensitive", entry.isSensitive()).put("type", entry.type().name()).put("documentation", entry.documentation());
        ArrayNode synonyms = config.putArray("synonyms");
        entry.synonyms().forEach(synonym -> synonyms.addObject().put("name", synonym.name()).put("value", synonym.value()).put("source", synonym.source().name()));
      }
    }
    ArrayNode withConfigs = answers.putArray("resources");
    for (ConfigResource resource : admin.listConfigResources().all().get())
      withConfigs.addObject().put("type", resource.type().name()).put("name", resource.name());

    ArrayNode acls = answers.putArray("acls");
    for (AclBinding acl : admin.describeAcls(AclBindingFilter.ANY).values().get()) {
      ObjectNode one = acls.addObject().put("resourceType", acl.pattern().resourceType().name()).put("resourceName", acl.pattern().name());
      one.put("patternType", acl.pattern().patternType().name()).put("principal", acl.entry().principal()).put("host", acl.entry().host());
      one.put("operation", acl.entry().operation().name()).put("permissionType", acl.entry().permissionType().name());
    }

    ArrayNode quotas = answers.putArray("quotas");
    admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get().forEach((entity, values) -> {
      ObjectNode one = quotas.addObject();
      ObjectNode names = one.putObject("entity");
      entity.entries().forEach(names::put);
      ObjectNode limits = one.putObject("quotas");
      values.forEach(limits::put);
    });

    ArrayNode scram = answers.putArray("scram");
    admin.describeUserScramCredentials().all().get().forEach((user, credentials) -> {
      ArrayNode infos = scram.addObject().put("user", user).putArray("credentials");
      credentials.credentialInfos().forEach(credential ->
        infos.addObject().put("mechanism", credential.mechanism().mechanismName()).put("iterations", credential.iterations()));
    });

    List<Integer> ids = new ArrayList<>();
    job.path("brokers").forEach(id -> ids.add(id.asInt()));
    ArrayNode logDirs = answers.putArray("logDirs");
    Set<TopicPartitionReplica> replicas = new HashSet<>();
    for (var broker : admin.describeLogDirs(ids).allDescriptions().get().entrySet()) {
      ArrayNode dirs = logDirs.addObject().put("brokerId", broker.getKey()).putArray("logDirs");
      for (var dir : broker.getValue().entrySet()) {
        ObjectNode one = dirs.addObject().put("path", dir.getKey());
        one.put("error", dir.getValue().error() == null ? null : dir.getValue().error().getMessage());
        one.put("hasTotal", dir.getValue().totalBytes().isPresent()).put("isCordoned", dir.getValue().isCordoned());
        ArrayNode held = one.putArray("replicas");
        dir.getValue().replicaInfos().forEach((partition, replica) -> {
          replicas.add(new TopicPartitionReplica(partition.topic(), partition.partition(), broker.getKey()));
          // Internal topics grow meanwhile.
          if (partition.topic().startsWith("__")) return;
          held.add(at(partition.topic(), partition.partition()).put("sizeBytes", replica.size()).put("offsetLag", replica.offsetLag()).put("isFuture", replica.isFuture()));
        });
      }
    }
    ArrayNode places = answers.putArray("replicaLogDirs");
    for (var found : admin.describeReplicaLogDirs(replicas).all().get().entrySet()) {
      if (found.getKey().topic().startsWith("__")) continue;
      ObjectNode one = at(found.getKey().topic(), found.getKey().partition()).put("brokerId", found.getKey().brokerId());
      places.add(one);
      var place = found.getValue();
      one.put("current", place.getCurrentReplicaLogDir()).put("future", place.getFutureReplicaLogDir());
    }
  }

  private static void groups(Admin admin, JsonNode job, ObjectNode answers) throws Exception {
    ArrayNode listings = answers.putArray("groupListings");
    for (GroupListing group : admin.listGroups().all().get()) {
      ObjectNode one = listings.addObject().put("groupId", group.groupId()).put("protocolType", group.protocol());
      one.put("type", group.type().map(type -> type.toString().toLowerCase()).orElse(null));
      one.put("state", group.groupState().map(Object::toString).orElse(null));
    }

    ArrayNode consumers = answers.putArray("consumerGroups");
    var options = new DescribeConsumerGroupsOptions().includeAuthorizedOperations(true);
    for (ConsumerGroupDescription group : admin.describeConsumerGroups(texts(job.path("consumerGroups")), options).all().get().values()) {
      ObjectNode one = consumers.addObject().put("groupId", group.groupId()).put("type", group.type().toString().toLowerCase());
      one.put("state", group.groupState().toString()).put("isSimple", group.isSimpleConsumerGroup()).put("assignor", group.partitionAssignor());
      one.put("coordinator", group.coordinator().id()).put("groupEpoch", orNull(group.groupEpoch())).put("assignmentEpoch", orNull(group.targetAssignmentEpoch()));
      operations(one, group.authorizedOperations());
      ArrayNode members = one.putArray("members");
      for (MemberDescription member : group.members()) {
        ObjectNode described = members.addObject().put("memberId", member.consumerId()).put("groupInstanceId", member.groupInstanceId().orElse(null));
        described.put("rackId", member.rackId().orElse(null)).put("clientId", member.clientId()).put("clientHost", member.host());
        described.set("assignment", partitions(member.assignment().topicPartitions()));
        described.set("targetAssignment", member.targetAssignment().map(target -> (JsonNode) partitions(target.topicPartitions())).orElse(null));
        described.put("memberEpoch", orNull(member.memberEpoch()));
        described.put("isClassic", member.upgraded().map(upgraded -> !upgraded).orElse(null));
      }
    }

    ArrayNode classic = answers.putArray("classicGroups");
    for (ClassicGroupDescription group : admin.describeClassicGroups(texts(job.path("classicGroups")), new DescribeClassicGroupsOptions()).all().get().values()) {
      ObjectNode one = classic.addObject().put("groupId", group.groupId()).put("protocolType", group.protocol()).put("protocol", group.protocolData());
      one.put("state", group.state().toString()).put("coordinator", group.coordinator().id());
      ArrayNode members = one.putArray("members");
      for (MemberDescription member : group.members()) {
        ObjectNode described = members.addObject().put("memberId", member.consumerId()).put("groupInstanceId", member.groupInstanceId().orElse(null));
        described.put("clientId", member.clientId()).put("clientHost", member.host()).set("assignment", partitions(member.assignment().topicPartitions()));
      }
    }

    ArrayNode shares = answers.putArray("shareGroups");
    for (ShareGroupDescription group : admin.describeShareGroups(texts(job.path("shareGroups"))).all().get().values()) {
      ObjectNode one = shares.addObject().put("groupId", group.groupId()).put("state", group.groupState().toString());
      one.put("coordinator", group.coordinator().id()).put("groupEpoch", group.groupEpoch()).put("assignmentEpoch", group.targetAssignmentEpoch());
      ArrayNode members = one.putArray("members");
      for (ShareMemberDescription member : group.members()) {
        ObjectNode described = members.addObject().put("memberId", member.consumerId()).put("rackId", member.rackId().orElse(null));
        described.put("clientId", member.clientId()).put("clientHost", member.host()).put("memberEpoch", member.memberEpoch());
        described.set("assignment", partitions(member.assignment().topicPartitions()));
      }
    }

    ArrayNode offsets = answers.putArray("groupOffsets");
    for (String group : texts(job.path("consumerGroups"))) {
      ArrayNode of = offsets.addObject().put("groupId", group).putArray("offsets");
      admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((partition, offset) ->
        of.add(at(partition.topic(), partition.partition()).put("offset", offset.offset()).put("leaderEpoch", orNull(offset.leaderEpoch())).put("metadata", offset.metadata())));
    }
    ArrayNode shareOffsets = answers.putArray("shareGroupOffsets");
    for (String group : texts(job.path("shareGroups"))) {
      ArrayNode of = shareOffsets.addObject().put("groupId", group).putArray("offsets");
      admin.listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo(group).get().forEach((partition, offset) ->
        of.add(at(partition.topic(), partition.partition()).put("startOffset", offset == null ? null : offset.startOffset())
          .put("leaderEpoch", offset == null ? null : orNull(offset.leaderEpoch())).put("lag", offset == null ? null : offset.lag().orElse(null))));
    }
  }

  private static void transactions(Admin admin, JsonNode job, ObjectNode answers) throws Exception {
    ArrayNode listed = answers.putArray("transactionListings");
    for (var broker : admin.listTransactions().allByBrokerId().get().entrySet())
      for (TransactionListing transaction : broker.getValue())
        listed.addObject().put("transactionalId", transaction.transactionalId()).put("producerId", transaction.producerId())
          .put("state", transaction.state().toString()).put("coordinatorId", broker.getKey());
    ArrayNode described = answers.putArray("transactions");
    admin.describeTransactions(texts(job.path("transactionalIds"))).all().get().forEach((id, transaction) -> {
      ObjectNode one = described.addObject().put("transactionalId", id).put("coordinatorId", transaction.coordinatorId());
      one.put("state", transaction.state().toString()).put("producerId", transaction.producerId()).put("producerEpoch", transaction.producerEpoch());
      OptionalLong started = transaction.transactionStartTimeMs();
      one.put("timeoutMs", transaction.transactionTimeoutMs()).put("startedAt", started.isPresent() ? (Long) started.getAsLong() : null);
      one.set("partitions", partitions(transaction.topicPartitions()));
    });
  }

  private static ArrayNode tokens(Admin admin) throws Exception {
    ArrayNode tokens = array();
    for (DelegationToken token : admin.describeDelegationToken().delegationTokens().get()) {
      var info = token.tokenInfo();
      ObjectNode one = tokens.addObject().put("tokenId", info.tokenId()).put("hmac", token.hmacAsBase64String());
      one.put("owner", info.owner().toString()).put("requester", info.tokenRequester().toString());
      ArrayNode renewers = one.putArray("renewers");
      info.renewers().forEach(renewer -> renewers.add(renewer.toString()));
      one.put("issuedAt", info.issueTimestamp()).put("expiresAt", info.expiryTimestamp()).put("maxAt", info.maxTimestamp());
    }
    return tokens;
  }
}
