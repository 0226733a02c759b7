"""Analyses of tags, durations and other outcomes: functions from tables to tables."""

from musicapi_nb.analysis._adherence import adherence as adherence
from musicapi_nb.analysis._adherence import tag_fates as tag_fates
from musicapi_nb.analysis._adjusted_means import adjusted_means as adjusted_means
from musicapi_nb.analysis._cooccurrence import cooccurrence as cooccurrence
from musicapi_nb.analysis._cooccurrence import exclusive_sets as exclusive_sets
from musicapi_nb.analysis._cooccurrence import tag_counts as tag_counts
from musicapi_nb.analysis._costs import costs as costs
from musicapi_nb.analysis._dose_response import dose_response as dose_response
from musicapi_nb.analysis._drift import drift as drift
from musicapi_nb.analysis._effects import effects as effects
from musicapi_nb.analysis._near_misses import near_misses as near_misses
from musicapi_nb.analysis._sound_adherence import sound_adherence as sound_adherence
from musicapi_nb.analysis._sound_matches import sound_matches as sound_matches
from musicapi_nb.analysis._stability import stability as stability
from musicapi_nb.analysis._substitutions import substitution_graph as substitution_graph
from musicapi_nb.analysis._substitutions import substitutions as substitutions
from musicapi_nb.analysis.variance_components import variance as variance
from musicapi_nb.tasks.tag_vocabulary import tag_category as tag_category
from musicapi_nb.tasks.tag_vocabulary import tag_group as tag_group
