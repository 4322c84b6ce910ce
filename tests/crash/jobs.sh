# Jobs whose weights must come out the same whatever happens around them. Each
# function prints one for /train, which publishes the model m; `rows` in the
# environment makes it shorter, `resources` is a map for it.

# batch norm, dropout, momentum, phases and their schedules, gradients that
# accumulate, averages, evaluations and checkpoints in the middle of an epoch:
# whatever is state takes part
image() {
	cat <<YAML
name: bits
data: {source: synthetic, rows: ${rows:-24000}}
input_features: [{name: image, type: image, shape: [1, 12, 12]}]
output_features: [{name: label, type: category, num_classes: 10}]
model: {layers: [{type: conv2d, out_channels: 8, kernel_size: 3}, {type: batch_norm},
  {type: relu}, {type: flatten}, {type: dropout, p: 0.1}, {type: linear, out_features: 10}]}
trainer: {batch_size: 32, checkpoint: {every_n_steps: 40}, optimizer: {type: adamw},
  gradient_accumulation_steps: 2, averaging: {type: ema, decay: 0.99}, evaluate_every_n_steps: 170,
  phases: [{epochs: 4, freeze: body, learning_rate: auto, learning_rate_scheduler: {type: plateau}},
    {epochs: 6, learning_rate: [1.0e-3, 3.0e-3], learning_rate_scheduler: {type: one_cycle}}]}
publish: {model: m}
resources: ${resources:-{\}}
YAML
}

# an LSTM whose state goes from batch to batch
text() {
	cat <<YAML
name: bits
data: {source: synthetic, rows: ${rows:-1500}}
input_features: [{name: text, type: text, vocab_size: 65, max_sequence_length: 32}]
output_features: [{name: text, type: text}]
model: {type: rnn_language_model, cell: lstm, embedding_size: 24, hidden_size: 48, num_layers: 2,
  hidden_dropout: 0.1}
trainer: {batch_size: 32, epochs: 6, checkpoint: {every_n_steps: 20}, evaluate_every_n_steps: 50}
publish: {model: m}
resources: ${resources:-{\}}
YAML
}

# a file of half a megabyte at every fifth step: it is often being written
mlp() {
	cat <<YAML
name: bits
data: {source: synthetic, rows: ${rows:-6000}}
input_features: [{name: image, type: image, shape: [1, 28, 28]}]
output_features: [{name: label, type: category, num_classes: 10}]
model: {layers: [{type: flatten}, {type: linear, out_features: 128}, {type: relu},
  {type: linear, out_features: 10}]}
trainer: {batch_size: 64, epochs: 5, checkpoint: {every_n_steps: 5}, optimizer: {type: adam},
  learning_rate_scheduler: {type: cosine}}
publish: {model: m}
resources: ${resources:-{\}}
YAML
}
