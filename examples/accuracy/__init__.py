"""The accuracy benchmark: integer fine-tuning against float fine-tuning on real data."""
